//! One column: a `u64` for each row, in the cheapest of four shapes (see `report.proto`), and the
//! arithmetic that makes its numbers small. All of it has an exact inverse for every value.

use super::{DecodeError, Reason};
use crate::wire;

/// A signed difference as unsigned: 0, −1, 1, −2 … become 0, 1, 2, 3 ….
pub(crate) fn zigzag(difference: u64) -> u64 {
    let signed = difference.cast_signed();
    ((signed << 1) ^ (signed >> 63)).cast_unsigned()
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(coded: u64) -> u64 {
    (coded >> 1) ^ (coded & 1).wrapping_neg()
}

/// `value` as a difference to what was expected.
pub(crate) fn diff(value: u64, expected: u64) -> u64 {
    zigzag(value.wrapping_sub(expected))
}

/// The inverse of [`diff`].
pub(crate) fn undiff(coded: u64, expected: u64) -> u64 {
    unzigzag(coded).wrapping_add(expected)
}

/// An instant relative to the report's end; 0 ("never") stays 0.
pub(crate) fn instant(at_ns: u64, end_ns: u64) -> u64 {
    if at_ns == 0 {
        return 0;
    }
    let (code, hole) = (diff(end_ns, at_ns), zigzag(end_ns));
    if code < hole { code + 1 } else { code }
}

/// The inverse of [`instant`].
pub(crate) fn uninstant(coded: u64, end_ns: u64) -> u64 {
    if coded == 0 {
        return 0;
    }
    let code = if coded <= zigzag(end_ns) { coded - 1 } else { coded };
    end_ns.wrapping_sub(unzigzag(code))
}

fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// Puts the values into the cheapest shape; `None` if every one is 0.
pub(crate) fn pack(values: Vec<u64>) -> Option<wire::Column> {
    let first = *values.first()?;
    if values.iter().all(|value| *value == first) {
        return (first != 0).then(|| wire::Column { values: vec![first], gaps: Vec::new() });
    }
    let dense: usize = values.iter().map(|value| varint_len(*value)).sum();
    let (mut sparse, mut present, mut gap) = (0, Vec::new(), 0u32);
    let mut gaps = Vec::new();
    for value in &values {
        if *value == 0 {
            gap += 1;
            continue;
        }
        sparse += varint_len(*value) + varint_len(u64::from(gap));
        present.push(*value);
        gaps.push(gap);
        gap = 0;
    }
    Some(if sparse < dense {
        wire::Column { values: present, gaps }
    } else {
        wire::Column { values, gaps: Vec::new() }
    })
}

/// Reads a column row by row, whatever its shape; holds nothing but a place in it.
#[derive(Debug)]
pub(crate) enum ColumnCursor<'a> {
    Same(u64),
    Dense(std::slice::Iter<'a, u64>),
    Sparse { values: std::slice::Iter<'a, u64>, gaps: std::slice::Iter<'a, u32>, skip: u32 },
}

impl<'a> ColumnCursor<'a> {
    /// Checks the column's shape against the number of rows.
    pub(crate) fn new(
        field: &'static str,
        column: Option<&'a wire::Column>,
        rows: usize,
    ) -> Result<Self, DecodeError> {
        let Some(column) = column else { return Ok(Self::Same(0)) };
        let (values, gaps) = (&column.values, &column.gaps);
        let wrong = |expected, got| Err(DecodeError::new(field, Reason::Length { expected, got }));
        if !gaps.is_empty() {
            if gaps.len() != values.len() {
                return wrong(values.len(), gaps.len());
            }
            let span: usize = gaps.iter().fold(gaps.len(), |sum, gap| sum.saturating_add(*gap as usize));
            if span > rows {
                return wrong(rows, span);
            }
            let mut gaps = gaps.iter();
            let skip = gaps.next().copied().unwrap_or(0);
            return Ok(Self::Sparse { values: values.iter(), gaps, skip });
        }
        match values.as_slice() {
            [] => Ok(Self::Same(0)),
            [one] => Ok(Self::Same(*one)),
            values if values.len() == rows => Ok(Self::Dense(values.iter())),
            values => wrong(rows, values.len()),
        }
    }

    /// The next row's value.
    pub(crate) fn next(&mut self) -> u64 {
        match self {
            Self::Same(value) => *value,
            Self::Dense(values) => values.next().copied().unwrap_or(0),
            Self::Sparse { skip, .. } if *skip > 0 => {
                *skip -= 1;
                0
            }
            Self::Sparse { values, gaps, skip } => {
                *skip = gaps.next().copied().unwrap_or(u32::MAX);
                values.next().copied().unwrap_or(0)
            }
        }
    }
}

/// Declares a table's columns once: a row of numbers, the builder that takes rows, and the reader
/// that gives them back. `$wire` has an `ids` field and one `Option<Column>` for each name.
macro_rules! table {
    ($title:literal: $wire:ty { $($column:ident),* $(,)? } => $Cells:ident, $Builder:ident, $Reader:ident) => {
        /// One row, as numbers.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub(crate) struct $Cells { $(pub(crate) $column: u64),* }

        /// Takes rows.
        #[derive(Debug, Default)]
        struct $Builder { $($column: Vec<u64>),* }

        impl $Builder {
            fn push(&mut self, cells: $Cells) {
                $(self.$column.push(cells.$column);)*
            }

            fn finish(self, ids: Vec<i64>) -> $wire {
                let mut table = <$wire>::default();
                table.ids = ids;
                $(table.$column = $crate::convert::column::pack(self.$column);)*
                table
            }
        }

        /// Gives rows back.
        #[derive(Debug)]
        struct $Reader<'a> { $($column: $crate::convert::column::ColumnCursor<'a>),* }

        impl<'a> $Reader<'a> {
            fn new(table: &'a $wire, rows: usize) -> Result<Self, $crate::convert::DecodeError> {
                Ok(Self { $($column: $crate::convert::column::ColumnCursor::new(
                    concat!($title, ".", stringify!($column)), table.$column.as_ref(), rows)?),* })
            }

            fn next(&mut self) -> $Cells {
                $Cells { $($column: self.$column.next()),* }
            }
        }
    };
}
pub(crate) use table;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unpack(column: Option<&wire::Column>, rows: usize) -> Vec<u64> {
        let mut cursor = ColumnCursor::new("test", column, rows).expect("a column that pack made");
        (0..rows).map(|_| cursor.next()).collect()
    }

    #[test]
    fn each_shape_is_used_where_it_is_cheapest() {
        assert_eq!(pack(vec![0; 9]), None);
        assert_eq!(pack(vec![7; 9]).map(|c| (c.values.len(), c.gaps.len())), Some((1, 0)));
        assert_eq!(pack(vec![1, 2, 3]).map(|c| (c.values.len(), c.gaps.len())), Some((3, 0)));
        assert_eq!(pack(vec![0, 0, 0, 0, 9, 0]).map(|c| (c.values, c.gaps)), Some((vec![9], vec![4])));
    }

    #[test]
    fn a_column_that_does_not_fit_its_table_is_refused() {
        let bad = |values: &[u64], gaps: &[u32]| {
            let column = wire::Column { values: values.to_vec(), gaps: gaps.to_vec() };
            ColumnCursor::new("tasks.polls", Some(&column), 3).expect_err("refused").to_string()
        };
        assert_eq!(bad(&[1, 2], &[]), "unreadable message: tasks.polls: 2 values where 3 are needed");
        assert_eq!(bad(&[1], &[0, 1]), "unreadable message: tasks.polls: 2 values where 1 are needed");
        assert_eq!(bad(&[1], &[3]), "unreadable message: tasks.polls: 4 values where 3 are needed");
        assert!(bad(&[1, 1], &[u32::MAX, u32::MAX]).contains("where 3 are needed"));
    }

    fn edge() -> impl Strategy<Value = u64> {
        prop_oneof![Just(0), Just(1), Just(u64::MAX), Just(1 << 63), any::<u64>(), 0u64..1_000]
    }

    proptest! {
        #[test]
        fn packing_loses_nothing(values in prop::collection::vec(prop_oneof![4 => Just(0), 1 => edge()], 0..40)) {
            let column = pack(values.clone());
            prop_assert_eq!(unpack(column.as_ref(), values.len()), values);
        }

        #[test]
        fn differences_and_instants_have_inverses(value in edge(), other in edge()) {
            prop_assert_eq!(undiff(diff(value, other), other), value);
            prop_assert_eq!(uninstant(instant(value, other), other), value);
        }
    }
}
