//! Holding rows against a filter.

use std::sync::Arc;

use super::parse::{Filter, Op, Operand, Test};
use crate::id::{BootId, NameId, SiteId};
use crate::level::Level;
use crate::query::column::Fields;
use crate::query::run::Rows;
use crate::value::Value;
use crate::world::Process;

/// A filter at work: it remembers which names and sites held which word, so that a word costs a row
/// three look-ups, however long the texts are.
pub(crate) struct RowMatcher<'a> {
    filter: &'a Filter,
    memos: Vec<Memo>,
}

/// What is known of one word against the texts of one process, by their dictionary indexes.
#[derive(Clone, Debug, Default)]
struct Memo {
    boot: Option<BootId>,
    names: Vec<Option<bool>>,
    groups: Vec<Option<bool>>,
    sites: Vec<Option<bool>>,
}

impl<'a> RowMatcher<'a> {
    pub(crate) fn new(filter: &'a Filter) -> Self {
        Self { filter, memos: vec![Memo::default(); filter.terms.len()] }
    }

    /// Whether the row passes every term.
    pub(crate) fn passes<I: Rows>(&mut self, row: &I, fields: &Fields<I>) -> bool {
        self.filter.terms.iter().zip(&mut self.memos).all(|(term, memo)| {
            let holds = match &term.test {
                Test::Word(word) => row.texts(&mut Texts { word, memo }),
                Test::Flagged => row.level().is_some_and(|level| level > Level::Allow),
                Test::Cell { column, op, operand } => {
                    fields.get(*column).is_some_and(|field| compare(&(field.get)(row), *op, operand))
                }
            };
            holds != term.negated
        })
    }
}

/// A word, held against the texts of a row.
pub(crate) struct Texts<'a> {
    word: &'a str,
    memo: &'a mut Memo,
}

impl Texts<'_> {
    /// A name: it contains the word, or its letters in that order.
    pub(crate) fn short(&self, text: &str) -> bool {
        contains(text, self.word) || is_subsequence(text, self.word)
    }

    /// A path or a sentence: it contains the word.
    pub(crate) fn long(&self, text: &str) -> bool {
        contains(text, self.word)
    }

    /// A name of the process's dictionary, as [`Texts::short`].
    pub(crate) fn name(&mut self, process: &Process, id: NameId) -> bool {
        let memo = self.memo.of(process.boot());
        let word = self.word;
        remembered(&mut memo.names, id.0, || {
            let text = process.dictionary().name(id);
            contains(&text, word) || is_subsequence(&text, word)
        })
    }

    /// A group of the process's dictionary, as [`Texts::long`].
    pub(crate) fn group(&mut self, process: &Process, id: NameId) -> bool {
        let memo = self.memo.of(process.boot());
        remembered(&mut memo.groups, id.0, || contains(&process.dictionary().name(id), self.word))
    }

    /// A site of the process's dictionary, as [`Texts::long`].
    pub(crate) fn site(&mut self, process: &Process, id: SiteId) -> bool {
        let memo = self.memo.of(process.boot());
        remembered(&mut memo.sites, id.0, || contains(&process.dictionary().site_text(id), self.word))
    }

    /// A number: it is the word.
    pub(crate) fn number(&self, number: u64) -> bool {
        self.word.parse() == Ok(number)
    }
}

impl Memo {
    /// The memo for that process; rows come process by process.
    fn of(&mut self, boot: BootId) -> &mut Self {
        if self.boot != Some(boot) {
            *self = Self { boot: Some(boot), ..Self::default() };
        }
        self
    }
}

/// What was found for that index before, or is found now. An index that no dictionary holds is not
/// remembered.
fn remembered(known: &mut Vec<Option<bool>>, index: u32, find: impl FnOnce() -> bool) -> bool {
    let index = index as usize;
    if index >= crate::dict::MAX_ENTRIES {
        return find();
    }
    if index >= known.len() {
        known.resize(index + 1, None);
    }
    *known[index].get_or_insert_with(find)
}

fn compare(cell: &Value, op: Op, operand: &Operand) -> bool {
    let empty = match cell {
        Value::Null => true,
        Value::List(items) => items.is_empty(),
        Value::Lines(lines) => lines.is_empty(),
        _ => false,
    };
    if empty || *operand == Operand::Null {
        let same = empty && *operand == Operand::Null;
        return match op {
            Op::Equal => same,
            Op::NotEqual => !same,
            _ => false,
        };
    }
    match (cell, operand) {
        (Value::Text(text), Operand::Level(level)) => {
            Level::from_name(text).is_some_and(|cell| holds(op, cell.partial_cmp(level)))
        }
        (Value::Text(text), Operand::Text(wanted)) => text_holds(text, op, wanted),
        (Value::List(items), Operand::Text(wanted)) => any_holds(items.iter(), op, wanted),
        (Value::Lines(lines), Operand::Text(wanted)) => {
            any_holds(lines.iter().map(|line| &line.line), op, wanted)
        }
        (cell, Operand::Text(wanted)) => op == Op::Contains && contains(&cell.to_string(), wanted),
        (cell, Operand::Number(wanted)) => {
            cell.number().is_some_and(|number| holds(op, number.partial_cmp(wanted)))
        }
        _ => false,
    }
}

fn any_holds<'a>(mut items: impl Iterator<Item = &'a Arc<str>>, op: Op, wanted: &str) -> bool {
    match op {
        Op::NotEqual => !items.any(|item| text_holds(item, Op::Equal, wanted)),
        op => items.any(|item| text_holds(item, op, wanted)),
    }
}

fn text_holds(text: &str, op: Op, wanted: &str) -> bool {
    match op {
        Op::Contains => contains(text, wanted),
        Op::Equal | Op::NotEqual => {
            let same = if text.is_ascii() {
                text.eq_ignore_ascii_case(wanted)
            } else {
                text.to_lowercase() == wanted
            };
            same == (op == Op::Equal)
        }
        _ => holds(op, Some(text.to_lowercase().as_str().cmp(wanted))),
    }
}

fn holds(op: Op, ordering: Option<std::cmp::Ordering>) -> bool {
    let Some(ordering) = ordering else { return false };
    match op {
        Op::Equal => ordering.is_eq(),
        Op::NotEqual => ordering.is_ne(),
        Op::Greater => ordering.is_gt(),
        Op::Less => ordering.is_lt(),
        Op::GreaterEqual => ordering.is_ge(),
        Op::LessEqual => ordering.is_le(),
        Op::Contains => false,
    }
}

/// Whether the text contains the word, which is in lower case, in whatever case.
fn contains(text: &str, word: &str) -> bool {
    if !text.is_ascii() {
        return text.to_lowercase().contains(word);
    }
    let (text, word) = (text.as_bytes(), word.as_bytes());
    let Some((first, rest)) = word.split_first() else { return true };
    if text.len() < word.len() {
        return false;
    }
    (0..=text.len() - word.len()).any(|at| {
        text[at].to_ascii_lowercase() == *first && text[at + 1..at + word.len()].eq_ignore_ascii_case(rest)
    })
}

/// Whether the word's letters stand in the text in that order. Words of one or two letters must stand
/// together: they would be found everywhere.
fn is_subsequence(text: &str, word: &str) -> bool {
    let mut letters = text.chars().flat_map(char::to_lowercase);
    word.chars().nth(2).is_some() && word.chars().all(|wanted| letters.any(|letter| letter == wanted))
}
