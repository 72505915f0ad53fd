//! Fields: each value's one form in a message, and messages that are lists of such fields.
//!
//! A new field of a message is one line of its [`message!`] list. What needs a rule of its own (a field that is two
//! on the wire, a value that depends on another) is written out beside the list, or is no such message at all.

use std::sync::Arc;

use pollscope_model::entity::presence::Presence;
use pollscope_model::entity::slow_poll::PollKind;
use pollscope_model::hist::Hist;
use pollscope_model::id::{BootId, NameId, RuntimeId, SiteId, StackId, TaskId};
use pollscope_model::level::Level;
use pollscope_model::measured::{Coverage, Mode};
use pollscope_model::query::column::Kind;

use super::text::{checked, clip};
use super::{DecodeError, Reason, hist};
use crate::limits::MAX_FRAME_HIST_CELLS;
use crate::wire;

/// A value of the model and its form `W` in a message.
pub(crate) trait Field<W>: Sized {
    fn to_wire(&self) -> W;

    /// The value, or which field could not be read.
    fn from_wire(field: &'static str, wire: W) -> Result<Self, DecodeError>;
}

/// Declares a message: its name in errors, both types, and the fields that have the same name on both sides. What has
/// not follows as expressions, the wire's fields first.
macro_rules! message {
    ($title:literal: $Model:path = wire::$Wire:ident { $($field:ident),* $(,)? }) => {
        message! {
            $title: $Model = wire::$Wire { $($field),* }
            to |model| {}
            from |wire| {}
        }
    };
    (
        $title:literal: $Model:path = wire::$Wire:ident { $($field:ident),* $(,)? }
        to |$model:ident| { $($to:ident: $to_value:expr),* $(,)? }
        from |$wire:ident| { $($from:ident: $from_value:expr),* $(,)? }
    ) => {
        impl $crate::convert::field::Field<$crate::wire::$Wire> for $Model {
            fn to_wire(&self) -> $crate::wire::$Wire {
                let $model = self;
                $crate::wire::$Wire {
                    $($field: $crate::convert::field::Field::to_wire(&$model.$field),)*
                    $($to: $to_value,)*
                }
            }

            fn from_wire(
                _: &'static str,
                $wire: $crate::wire::$Wire,
            ) -> Result<Self, $crate::convert::DecodeError> {
                Ok(Self {
                    $($from: $from_value,)*
                    $($field: $crate::convert::field::Field::from_wire(
                        concat!($title, ".", stringify!($field)),
                        $wire.$field,
                    )?,)*
                })
            }
        }
    };
}
pub(crate) use message;

/// Messages within messages: absent is an error.
macro_rules! required {
    ($($Model:path = $Wire:path),* $(,)?) => {
        $(impl $crate::convert::field::Field<Option<$Wire>> for $Model {
            fn to_wire(&self) -> Option<$Wire> {
                Some($crate::convert::field::Field::to_wire(self))
            }

            fn from_wire(field: &'static str, wire: Option<$Wire>) -> Result<Self, $crate::convert::DecodeError> {
                let wire: $Wire = wire.ok_or($crate::convert::DecodeError::missing(field))?;
                $crate::convert::field::Field::from_wire(field, wire)
            }
        })*
    };
}
pub(crate) use required;

/// Numbers that travel as they are.
macro_rules! plain {
    ($($Number:ty),*) => {
        $(impl Field<$Number> for $Number {
            fn to_wire(&self) -> $Number {
                *self
            }

            fn from_wire(_: &'static str, wire: $Number) -> Result<Self, DecodeError> {
                Ok(wire)
            }
        })*
    };
}
plain! { bool, u32, u64 }

/// Numbers with a type of their own.
macro_rules! ids {
    ($($Id:ident = $Number:ty),*) => {
        $(impl Field<$Number> for $Id {
            fn to_wire(&self) -> $Number {
                self.0
            }

            fn from_wire(_: &'static str, wire: $Number) -> Result<Self, DecodeError> {
                Ok(Self(wire))
            }
        })*
    };
}
ids! { TaskId = u64, SiteId = u32, NameId = u32, StackId = u32, RuntimeId = u32 }

/// Enums that travel by name, so that either side may know more of them; an empty name is no value.
macro_rules! named {
    ($($Enum:ident),*) => {
        $(impl Field<String> for $Enum {
            fn to_wire(&self) -> String {
                self.as_str().to_owned()
            }

            fn from_wire(field: &'static str, wire: String) -> Result<Self, DecodeError> {
                Self::from_name(&wire).ok_or_else(|| unknown(field, &wire))
            }
        }

        impl Field<String> for Option<$Enum> {
            fn to_wire(&self) -> String {
                self.map_or_else(String::new, |value| value.as_str().to_owned())
            }

            fn from_wire(field: &'static str, wire: String) -> Result<Self, DecodeError> {
                if wire.is_empty() { Ok(None) } else { $Enum::from_wire(field, wire).map(Some) }
            }
        })*
    };
}
named! { Coverage, Kind, Level, Mode, PollKind, Presence }

/// A name that this build does not know.
pub(crate) fn unknown(field: &'static str, name: &str) -> DecodeError {
    DecodeError::new(field, Reason::UnknownName(clip(name)))
}

impl<T: Field<W>, W> Field<Option<W>> for Option<T> {
    fn to_wire(&self) -> Option<W> {
        self.as_ref().map(Field::to_wire)
    }

    fn from_wire(field: &'static str, wire: Option<W>) -> Result<Self, DecodeError> {
        wire.map(|wire| T::from_wire(field, wire)).transpose()
    }
}

impl<T: Field<W>, W> Field<Vec<W>> for Vec<T> {
    fn to_wire(&self) -> Vec<W> {
        self.iter().map(Field::to_wire).collect()
    }

    fn from_wire(field: &'static str, wire: Vec<W>) -> Result<Self, DecodeError> {
        wire.into_iter().map(|wire| T::from_wire(field, wire)).collect()
    }
}

/// A list that must have that many numbers.
impl<const N: usize> Field<Vec<u64>> for [u64; N] {
    fn to_wire(&self) -> Vec<u64> {
        self.to_vec()
    }

    fn from_wire(field: &'static str, wire: Vec<u64>) -> Result<Self, DecodeError> {
        let wrong = Reason::Length { expected: N, got: wire.len() };
        wire.try_into().map_err(|_| DecodeError::new(field, wrong))
    }
}

/// What peers say of themselves and ask for: bounded.
impl Field<String> for String {
    fn to_wire(&self) -> String {
        clip(self)
    }

    fn from_wire(field: &'static str, wire: String) -> Result<Self, DecodeError> {
        checked(field, wire)
    }
}

/// What answers show.
impl Field<String> for Arc<str> {
    fn to_wire(&self) -> String {
        self.to_string()
    }

    fn from_wire(_: &'static str, wire: String) -> Result<Self, DecodeError> {
        Ok(wire.into())
    }
}

impl Field<Vec<u8>> for BootId {
    fn to_wire(&self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }

    fn from_wire(field: &'static str, wire: Vec<u8>) -> Result<Self, DecodeError> {
        let wrong = Reason::Length { expected: 16, got: wire.len() };
        let bytes = wire.try_into().map_err(|_| DecodeError::new(field, wrong))?;
        Ok(Self(u128::from_be_bytes(bytes)))
    }
}

/// Numbers over time: what is unknown is no number.
impl Field<wire::Series> for Vec<Option<f32>> {
    fn to_wire(&self) -> wire::Series {
        wire::Series { points: self.iter().map(|point| point.unwrap_or(f32::NAN)).collect() }
    }

    fn from_wire(_: &'static str, wire: wire::Series) -> Result<Self, DecodeError> {
        Ok(wire.points.into_iter().map(|point| (!point.is_nan()).then_some(point)).collect())
    }
}

impl Field<Option<wire::Series>> for Vec<Option<f32>> {
    fn to_wire(&self) -> Option<wire::Series> {
        Some(self.to_wire())
    }

    fn from_wire(field: &'static str, wire: Option<wire::Series>) -> Result<Self, DecodeError> {
        Self::from_wire(field, wire.unwrap_or_default())
    }
}

impl Field<Option<wire::HistColumns>> for Hist {
    fn to_wire(&self) -> Option<wire::HistColumns> {
        hist::to_wire(std::iter::once(self))
    }

    fn from_wire(field: &'static str, wire: Option<wire::HistColumns>) -> Result<Self, DecodeError> {
        let mut reader = hist::HistReader::new(field, wire.as_ref(), 1)?;
        let hist = reader.next(&mut { MAX_FRAME_HIST_CELLS })?;
        reader.finish()?;
        Ok(hist)
    }
}
