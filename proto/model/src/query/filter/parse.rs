//! Reading a filter: text in, terms out, or an error that names the place.

use crate::level::Level;
use crate::nearest::nearest;
use crate::query::column::{Column, Kind, Unit, columns};
use crate::time::parse_duration;

/// Why a filter could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("filter, at character {at}: {what}")]
pub struct FilterError {
    /// Where, in characters from 1.
    pub at: usize,
    /// What is wrong there, what was expected, and what would do.
    pub what: String,
}

/// A filter that was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(super) terms: Vec<Term>,
}

#[derive(Clone, Debug)]
pub(super) struct Term {
    pub(super) negated: bool,
    pub(super) test: Test,
}

#[derive(Clone, Debug)]
pub(super) enum Test {
    /// A word, in lower case.
    Word(String),
    /// Has an open finding.
    Flagged,
    /// A cell, by its index, against a value.
    Cell { column: usize, op: Op, operand: Operand },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    Contains,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Operand {
    Null,
    Number(f64),
    Level(Level),
    /// In lower case.
    Text(String),
}

/// Two-letter operators first, so that `>=` is not taken for `>`.
const OPS: [(&str, Op); 7] = [
    ("!=", Op::NotEqual),
    (">=", Op::GreaterEqual),
    ("<=", Op::LessEqual),
    ("=", Op::Equal),
    (">", Op::Greater),
    ("<", Op::Less),
    ("~", Op::Contains),
];

/// One blank-separated piece of the text, quotes taken off.
struct Token {
    at: usize,
    /// The text before the first quote: only here can a `!`, a field and an operator stand.
    bare: String,
    /// The rest, if there was a quote.
    quoted: Option<String>,
}

impl Filter {
    pub(crate) fn parse(text: &str, kind: Kind) -> Result<Self, FilterError> {
        let columns = columns(kind);
        let terms = tokens(text)?.into_iter().map(|token| term(&token, kind, &columns));
        Ok(Self { terms: terms.collect::<Result<_, _>>()? })
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().enumerate().peekable();
    loop {
        while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        let Some((start, _)) = chars.peek().copied() else { return Ok(tokens) };
        let mut token = Token { at: start + 1, bare: String::new(), quoted: None };
        while let Some((at, c)) = chars.next_if(|(_, c)| !c.is_whitespace()) {
            if c == '"' {
                let quoted = token.quoted.get_or_insert_with(String::new);
                loop {
                    match chars.next() {
                        Some((_, '"')) => break,
                        Some((_, c)) => quoted.push(c),
                        None => return Err(error(at + 1, "this quote is not closed: add a `\"`".to_owned())),
                    }
                }
            } else if let Some(quoted) = &mut token.quoted {
                quoted.push(c);
            } else {
                token.bare.push(c);
            }
        }
        tokens.push(token);
    }
}

fn term(token: &Token, kind: Kind, columns: &[&Column]) -> Result<Term, FilterError> {
    let (negated, bare, at) = match token.bare.strip_prefix('!') {
        Some(rest) if !rest.starts_with('=') => (true, rest, token.at + 1),
        _ => (false, token.bare.as_str(), token.at),
    };
    if bare.is_empty() && token.quoted.is_none() {
        return Err(error(at, "expected a word or a comparison after `!`".to_owned()));
    }
    let test = match split(bare) {
        Some(("", op, _)) => {
            let what = format!("expected a field before `{op}`; {}", fields(kind, columns));
            return Err(error(at, what));
        }
        Some((field, op, rest)) if is_field(field) => {
            let value = format!("{rest}{}", token.quoted.as_deref().unwrap_or(""));
            comparison(at, field, op, &value, token.quoted.is_some(), kind, columns)?
        }
        _ if bare == "flagged" && token.quoted.is_none() => Test::Flagged,
        _ => Test::Word(format!("{bare}{}", token.quoted.as_deref().unwrap_or("")).to_lowercase()),
    };
    Ok(Term { negated, test })
}

/// The text round its first operator.
fn split(bare: &str) -> Option<(&str, &'static str, &str)> {
    (0..bare.len()).filter(|at| bare.is_char_boundary(*at)).find_map(|at| {
        let (op, _) = OPS.iter().find(|(op, _)| bare[at..].starts_with(op))?;
        Some((&bare[..at], *op, &bare[at + op.len()..]))
    })
}

fn is_field(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn comparison(
    at: usize,
    field: &str,
    op: &str,
    value: &str,
    quoted: bool,
    kind: Kind,
    columns: &[&Column],
) -> Result<Test, FilterError> {
    let field = field.to_ascii_lowercase();
    let Some(index) = columns.iter().position(|column| column.is_named(&field)) else {
        let names = columns.iter().flat_map(|column| [column.alias, column.key]);
        let hint = nearest(&field, names).map_or(String::new(), |name| format!(", did you mean `{name}`?"));
        return Err(error(at, format!("unknown field `{field}`{hint}; {}", fields(kind, columns))));
    };
    let column = columns[index];
    let at = at + field.chars().count() + op.chars().count();
    let name = column.alias;
    let Some(op) = OPS.iter().find(|(text, _)| *text == op).map(|(_, op)| *op) else {
        return Err(error(at, format!("unknown operator `{op}`")));
    };
    if value.is_empty() && !quoted {
        return Err(error(at, format!("`{name}` wants a value after the operator: {}", expected(column))));
    }
    let operand = if value.eq_ignore_ascii_case("null") && !quoted {
        if !matches!(op, Op::Equal | Op::NotEqual) {
            return Err(error(at, "null can be compared with = and != only".to_owned()));
        }
        Operand::Null
    } else {
        operand(column, op, value).ok_or_else(|| {
            error(at, format!("`{value}` does not fit `{name}`: expected {}", expected(column)))
        })?
    };
    Ok(Test::Cell { column: index, op, operand })
}

/// The value in the column's unit; `None` if it does not fit.
fn operand(column: &Column, op: Op, value: &str) -> Option<Operand> {
    if column.key == "level" {
        return Level::from_name(&value.to_ascii_lowercase()).map(Operand::Level);
    }
    if op == Op::Contains {
        return Some(Operand::Text(value.to_lowercase()));
    }
    let number = match column.unit {
        Unit::Text | Unit::List => return Some(Operand::Text(value.to_lowercase())),
        Unit::Series => return None,
        Unit::Nanos => parse_duration(value).ok()? as f64,
        Unit::Bytes => scaled(value, &BYTES)?,
        Unit::Ratio => scaled(value, &[("%", 0.01)])?,
        Unit::Count | Unit::Id | Unit::Rate | Unit::Time => scaled(value, &COUNTS)?,
    };
    Some(Operand::Number(number))
}

const BYTES: [(&str, f64); 5] =
    [("KiB", 1024.0), ("MiB", 1_048_576.0), ("GiB", 1_073_741_824.0), ("kB", 1000.0), ("B", 1.0)];
const COUNTS: [(&str, f64); 3] = [("k", 1e3), ("M", 1e6), ("G", 1e9)];

fn scaled(value: &str, units: &[(&str, f64)]) -> Option<f64> {
    let ends_with = |unit: &str| {
        let split = value.len().checked_sub(unit.len())?;
        let (number, suffix) = value.split_at_checked(split)?;
        suffix.eq_ignore_ascii_case(unit).then_some(number)
    };
    let unit = units.iter().find_map(|(unit, factor)| Some((ends_with(unit)?, *factor)));
    let (number, factor) = unit.unwrap_or((value, 1.0));
    let number: f64 = number.trim().parse().ok()?;
    number.is_finite().then_some(number * factor)
}

fn expected(column: &Column) -> &'static str {
    match column.unit {
        _ if column.key == "level" => "allow, warn or deny",
        Unit::Nanos => "a duration such as 10ms, 1.5s or 250us",
        Unit::Bytes => "a size such as 16KiB or 512B",
        Unit::Ratio => "a share such as 50% or 0.5",
        Unit::Time => "nanoseconds since 1970",
        Unit::Id => "a number",
        Unit::Count | Unit::Rate => "a number such as 100 or 3k",
        Unit::Text | Unit::List => "a text, in quotes if it holds blanks",
        Unit::Series => "nothing: it cannot be compared",
    }
}

fn fields(kind: Kind, columns: &[&Column]) -> String {
    let comparable = columns.iter().filter(|column| column.unit != Unit::Series);
    let names: Vec<&str> = comparable.map(|column| column.alias).collect();
    format!("the fields of {} are {}", kind.as_str(), names.join(", "))
}

fn error(at: usize, what: String) -> FilterError {
    FilterError { at, what }
}
