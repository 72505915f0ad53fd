//! Enums as numbers: a number is a position in the enum's list of variants, which only ever grows.

use pollscope_model::entity::runtime::Flavor;
use pollscope_model::report::Detail;

use super::field::Field;
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

/// Enums that are enums on the wire too.
macro_rules! numbered {
    ($($Enum:ident { $($Variant:ident),* })*) => {
        $(impl Field<i32> for $Enum {
            fn to_wire(&self) -> i32 {
                $(if *self == Self::$Variant {
                    return wire::$Enum::$Variant.into();
                })*
                0
            }

            fn from_wire(field: &'static str, wire: i32) -> Result<Self, DecodeError> {
                match wire::$Enum::try_from(wire) {
                    $(Ok(wire::$Enum::$Variant) => Ok(Self::$Variant),)*
                    Err(_) => Err(DecodeError::new(field, Reason::Unknown(wire as u64))),
                }
            }
        })*
    };
}
numbered! {
    Detail { Full, Top }
    Flavor { MultiThread, CurrentThread }
}

#[cfg(test)]
mod tests {
    use pollscope_model::entity::task::{HandleState, TaskKind, TaskState};
    use pollscope_model::measured::Mode;

    #[test]
    fn variants_keep_their_places() {
        assert_eq!(Mode::ALL.map(Mode::as_str), ["sample", "wrap", "hooks"]);
        let kinds = ["async", "local", "blocking", "block-on", "future", "request"];
        assert_eq!(TaskKind::ALL.map(TaskKind::as_str), kinds);
        let states = ["idle", "scheduled", "running", "completed", "cancelled", "panicked"];
        assert_eq!(TaskState::ALL.map(TaskState::as_str), states);
        assert_eq!(HandleState::ALL.map(HandleState::as_str), ["held", "dropped", "joined", "aborted"]);
        assert!(Mode::ALL.iter().enumerate().all(|(place, mode)| *mode as usize == place));
    }
}
