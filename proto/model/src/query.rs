//! The one query language: a screen, a script and a test all ask a [`World`](crate::world::World)
//! with the same [`Ask`](ask::Ask) and get the same [`Answer`](ask::Answer).
//!
//! A page is generic: rows of [`Value`](crate::value::Value)s in the order of the kind's
//! [column table](column::columns), which also names the JSON keys, the filter's fields and the
//! screen's headers. Answers hold text and numbers only, never references into a `World`, so they
//! travel the wire as they are.

mod answer;
pub mod ask;
pub mod column;
pub mod detail;
pub mod filter;
mod findings;
pub mod flag;
pub mod flight;
mod notes;
mod overview;
pub mod page;
mod processes;
mod run;
mod shortlist;
mod site_detail;
mod sites;
mod task_detail;
mod tasks;
mod workers;

pub use answer::answer;
pub(crate) use answer::answer_again;
pub use run::QueryError;
pub(crate) use shortlist::Shortlists;

#[cfg(test)]
mod tests;
