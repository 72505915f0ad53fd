//! Changes of a protobuf message that leave it one: other values, other counts, other depths.

use crate::chance::Chance;
use crate::mutate;

/// A field, or what stands where one should.
#[derive(Clone)]
struct Field {
    key: u64,
    value: Value,
}

#[derive(Clone)]
enum Value {
    Number(u64),
    /// A fixed number of 4 or 8 bytes, or bytes with a length.
    Fixed(Vec<u8>),
    Bytes(Vec<u8>),
}

/// Changes one thing somewhere inside of the message.
pub(crate) fn message(data: &mut Vec<u8>, chance: &mut Chance) {
    let Some(mut fields) = parse(data) else { return mutate::bytes(data, chance) };
    if fields.is_empty() || chance.one_in(8) {
        return around(data, fields, chance);
    }
    let at = chance.below(fields.len());
    match &mut fields[at].value {
        Value::Number(number) => *number = chance.odd(),
        Value::Fixed(bytes) => bytes.iter_mut().for_each(|byte| *byte = chance.number() as u8),
        Value::Bytes(bytes) => match chance.below(6) {
            // Columns are numbers one behind the other; texts and messages are bytes.
            0 => column(bytes, chance),
            1 => mutate::bytes(bytes, chance),
            _ => message(bytes, chance),
        },
    }
    *data = put(&fields);
}

/// Changes which fields there are.
fn around(data: &mut Vec<u8>, mut fields: Vec<Field>, chance: &mut Chance) {
    let at = chance.below(fields.len());
    match chance.below(5) {
        0 if !fields.is_empty() => drop(fields.remove(at)),
        1 if !fields.is_empty() => {
            let again = fields[at].clone();
            fields.extend(std::iter::repeat_n(again, 1 + chance.below(40)));
        }
        2 if !fields.is_empty() => {
            let to = chance.below(fields.len());
            fields.swap(at, to);
        }
        3 if !fields.is_empty() => fields[at].key = chance.odd() & 0xffff,
        _ => {
            let value = Value::Number(chance.odd());
            fields.push(Field { key: (1 + chance.below(40) as u64) << 3, value });
        }
    }
    *data = put(&fields);
}

/// Changes a packed column.
fn column(data: &mut Vec<u8>, chance: &mut Chance) {
    let (mut numbers, mut rest) = (Vec::new(), data.as_slice());
    while let Some(number) = varint(&mut rest) {
        numbers.push(number);
    }
    let at = chance.below(numbers.len());
    match chance.below(4) {
        0 if !numbers.is_empty() => numbers[at] = chance.odd(),
        1 if !numbers.is_empty() => drop(numbers.remove(at)),
        2 => numbers.extend(std::iter::repeat_n(chance.odd(), chance.below(300))),
        _ => numbers.clear(),
    }
    data.clear();
    for number in numbers {
        put_varint(data, number);
    }
}

fn parse(mut data: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !data.is_empty() {
        let key = varint(&mut data)?;
        let mut take = |count: usize| {
            let (taken, rest) = data.split_at_checked(count)?;
            data = rest;
            Some(taken.to_vec())
        };
        let value = match key & 7 {
            0 => Value::Number(varint(&mut data)?),
            1 => Value::Fixed(take(8)?),
            5 => Value::Fixed(take(4)?),
            2 => {
                let length = usize::try_from(varint(&mut data)?).ok()?;
                let (taken, rest) = data.split_at_checked(length)?;
                data = rest;
                Value::Bytes(taken.to_vec())
            }
            _ => return None,
        };
        fields.push(Field { key, value });
    }
    Some(fields)
}

fn put(fields: &[Field]) -> Vec<u8> {
    let mut data = Vec::new();
    for field in fields {
        put_varint(&mut data, field.key);
        match &field.value {
            Value::Number(number) => put_varint(&mut data, *number),
            Value::Fixed(bytes) => data.extend(bytes),
            Value::Bytes(bytes) => {
                put_varint(&mut data, bytes.len() as u64);
                data.extend(bytes);
            }
        }
    }
    data
}

fn varint(data: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = data.split_first()?;
        *data = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn put_varint(data: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        data.push(number as u8 | 0x80);
        number >>= 7;
    }
    data.push(number as u8);
}
