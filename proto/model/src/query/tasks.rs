//! Tasks: their columns, and how a row gets its cells.

mod columns;

use super::flag::Flag;
use super::page::RowId;
use super::run::{Rows, Texts};
use crate::entity::task::WokenBy;
use crate::level::Level;
use crate::measured::Metric;
use crate::value::Value;
use crate::world::{Process, TaskRow};
pub(super) use columns::FIELDS;

/// One task, with what a cell may need.
pub(super) struct TaskItem<'a> {
    pub(super) process: &'a Process,
    pub(super) task: TaskRow<'a>,
    pub(super) flag: Option<&'a Flag>,
}

impl TaskItem<'_> {
    fn now(&self) -> u64 {
        self.process.now_ns()
    }

    /// The cell, or nothing where the task's mode cannot measure it.
    fn measured(&self, metric: Metric, cell: impl FnOnce() -> Value) -> Value {
        if self.task.measures(metric) { cell() } else { Value::Null }
    }
}

impl Rows for TaskItem<'_> {
    const DEFAULT_ORDER: &'static [(&'static str, bool)] = &[("flag", true), ("busy_ns", true)];

    fn id(&self) -> RowId {
        RowId::Task(self.process.boot(), self.task.id())
    }

    fn level(&self) -> Option<Level> {
        self.flag.map(|flag| flag.level)
    }

    fn rank(&self) -> u8 {
        match self.level() {
            Some(Level::Deny) => 4,
            Some(Level::Warn) => 3,
            _ if self.task.state().is_ended() => 0,
            Some(Level::Allow) => 2,
            None => 1,
        }
    }

    fn by_id(&self, other: &Self) -> std::cmp::Ordering {
        let key = |item: &Self| (item.process.boot(), item.task.id());
        key(self).cmp(&key(other))
    }

    fn texts(&self, texts: &mut Texts<'_>) -> bool {
        texts.name(self.process, self.task.name())
            || texts.group(self.process, self.task.group())
            || texts.site(self.process, self.task.site())
            || texts.long(self.process.label())
            || texts.number(self.task.id().0)
            || texts.long(self.task.state().as_str())
    }
}

/// `!L`, `~S`, `.`, or `-` for what is over.
pub(super) fn flag_text(flag: Option<&Flag>, over: bool) -> Value {
    let text = match flag {
        Some(Flag { level: Level::Deny, letter, .. }) => format!("!{letter}"),
        Some(Flag { level: Level::Warn, letter, .. }) => format!("~{letter}"),
        Some(Flag { level: Level::Allow, letter, .. }) => format!(".{letter}"),
        _ if over => "-".to_owned(),
        _ => ".".to_owned(),
    };
    Value::Text(text.into())
}

/// Detector ids.
pub(super) fn list(flag: Option<&Flag>) -> Value {
    Value::List(flag.map_or(Vec::new(), |flag| flag.detectors.iter().map(|id| (*id).into()).collect()))
}

/// A level, or nothing.
pub(super) fn level_text(level: Option<Level>) -> Value {
    level.map_or(Value::Null, |level| Value::Text(level.as_str().into()))
}

/// Who woke it last, in words.
pub(super) fn woken_by(by: WokenBy) -> Value {
    Value::text(match by {
        WokenBy::Unknown => String::new(),
        WokenBy::Task(id) => format!("task {id}"),
        WokenBy::Itself => "itself".to_owned(),
        WokenBy::Runtime => "runtime".to_owned(),
        WokenBy::OtherThread => "other thread".to_owned(),
    })
}
