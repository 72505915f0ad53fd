//! See why an async service stalls.
#![allow(dead_code, reason = "the reporter that calls the drain is built beside it")]

mod clock;
mod drain;
mod mode;
mod record;
