//! Enums as numbers: a number is a position in one of these tables, which only ever grow.

use pollscope_model::entity::runtime::Flavor;
use pollscope_model::entity::task::{HandleState, TaskKind, TaskState};
use pollscope_model::measured::Mode;
use pollscope_model::report::Detail;

use super::{DecodeError, Reason};
use crate::wire;

pub(crate) const MODES: [Mode; 3] = [Mode::Sample, Mode::Wrap, Mode::Hooks];
pub(crate) const KINDS: [TaskKind; 5] =
    [TaskKind::Async, TaskKind::Local, TaskKind::Blocking, TaskKind::BlockOn, TaskKind::Future];
pub(crate) const STATES: [TaskState; 6] = TaskState::ALL;
pub(crate) const HANDLES: [HandleState; 4] =
    [HandleState::Held, HandleState::Dropped, HandleState::Joined, HandleState::Aborted];

pub(crate) fn number_of<T: PartialEq>(table: &[T], value: &T) -> u64 {
    table.iter().position(|entry| entry == value).map_or(0, |place| place as u64)
}

pub(crate) fn entry<T: Copy>(field: &'static str, table: &[T], number: u64) -> Result<T, DecodeError> {
    usize::try_from(number)
        .ok()
        .and_then(|place| table.get(place))
        .copied()
        .ok_or_else(|| DecodeError::new(field, Reason::Unknown(number)))
}

pub(crate) fn detail_to_wire(detail: Detail) -> wire::Detail {
    match detail {
        Detail::Full => wire::Detail::Full,
        Detail::Top => wire::Detail::Top,
    }
}

pub(crate) fn detail(field: &'static str, number: i32) -> Result<Detail, DecodeError> {
    match wire::Detail::try_from(number) {
        Ok(wire::Detail::Full) => Ok(Detail::Full),
        Ok(wire::Detail::Top) => Ok(Detail::Top),
        Err(_) => Err(DecodeError::new(field, Reason::Unknown(number as u64))),
    }
}

pub(crate) fn flavor_to_wire(flavor: Flavor) -> wire::Flavor {
    match flavor {
        Flavor::CurrentThread => wire::Flavor::CurrentThread,
        _ => wire::Flavor::MultiThread,
    }
}

pub(crate) fn flavor(field: &'static str, number: i32) -> Result<Flavor, DecodeError> {
    match wire::Flavor::try_from(number) {
        Ok(wire::Flavor::MultiThread) => Ok(Flavor::MultiThread),
        Ok(wire::Flavor::CurrentThread) => Ok(Flavor::CurrentThread),
        Err(_) => Err(DecodeError::new(field, Reason::Unknown(number as u64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_follow_the_declarations() {
        assert!(MODES.iter().enumerate().all(|(place, mode)| *mode as usize == place));
        assert!(KINDS.iter().enumerate().all(|(place, kind)| *kind as usize == place));
        assert!(STATES.iter().enumerate().all(|(place, state)| *state as usize == place));
        assert!(HANDLES.iter().enumerate().all(|(place, handle)| *handle as usize == place));
    }
}
