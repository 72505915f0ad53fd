//! Enums as numbers: a number is a position in the enum's list of variants, which only ever grows.

use pollscope_model::entity::runtime::Flavor;
use pollscope_model::report::Detail;

use super::{DecodeError, Reason};
use crate::wire;

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
    use pollscope_model::entity::task::{HandleState, TaskKind, TaskState};
    use pollscope_model::measured::Mode;

    #[test]
    fn variants_keep_their_places() {
        assert_eq!(Mode::ALL.map(Mode::as_str), ["sample", "wrap", "hooks"]);
        assert_eq!(TaskKind::ALL.map(TaskKind::as_str), ["async", "local", "blocking", "block-on", "future"]);
        let states = ["idle", "scheduled", "running", "completed", "cancelled", "panicked"];
        assert_eq!(TaskState::ALL.map(TaskState::as_str), states);
        assert_eq!(HandleState::ALL.map(HandleState::as_str), ["held", "dropped", "joined", "aborted"]);
        assert!(Mode::ALL.iter().enumerate().all(|(place, mode)| *mode as usize == place));
    }
}
