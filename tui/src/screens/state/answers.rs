//! The standing questions and where their answers go.

use std::collections::BTreeMap;
use std::time::Duration;

use pollscope_model::query::ask::{Answer, Ask};
use pollscope_model::query::detail::Overview;
use pollscope_model::query::page::Page;

use crate::sources::QuestionId;

/// Where an answer is shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Slot {
    /// Title line, ribbon, heat, notes.
    Overview,
    /// The list of a tab, or a level above it.
    Level(usize),
    /// The panel about the selected row.
    Panel,
    /// The panel of open findings.
    Findings,
    /// The picture of single polls.
    Flight,
}

/// One standing question.
#[derive(Clone, PartialEq, Debug)]
pub struct Standing {
    /// Its name between us and the source.
    pub id: QuestionId,
    /// The question.
    pub ask: Ask,
    /// Where its answer goes.
    pub slot: Slot,
    /// Whether an answer came.
    pub answered: bool,
}

/// Answers that belong to no list, and the questions.
#[derive(Default)]
pub struct Answers {
    /// The scope at a glance.
    pub overview: Option<Box<Overview>>,
    /// When the overview came.
    pub overview_at: Duration,
    /// The thing under the cursor.
    pub panel: Option<Box<Answer>>,
    /// The open findings.
    pub findings: Option<Page>,
    /// The questions that stand.
    pub standing: Vec<Standing>,
    /// Answers that came while the view was held.
    pub held: BTreeMap<u32, Box<Answer>>,
    next: u32,
}

impl Answers {
    /// Replaces the standing questions; a question that stays keeps its id. Tells whether anything
    /// changed.
    pub fn replace(&mut self, wanted: Vec<(Slot, Ask)>) -> bool {
        let same = |old: &Standing, new: &(Slot, Ask)| old.slot == new.0 && old.ask == new.1;
        if self.standing.len() == wanted.len()
            && self.standing.iter().zip(&wanted).all(|(old, new)| same(old, new))
        {
            return false;
        }
        let mut old = std::mem::take(&mut self.standing);
        for want in wanted {
            let kept = old.iter().position(|standing| same(standing, &want)).map(|at| old.swap_remove(at));
            let standing = kept.unwrap_or_else(|| {
                self.next = self.next.wrapping_add(1);
                Standing { id: QuestionId(self.next), slot: want.0, ask: want.1, answered: false }
            });
            self.standing.push(standing);
        }
        let standing = &self.standing;
        self.held.retain(|id, _| standing.iter().any(|question| question.id.0 == *id));
        true
    }

    /// The questions as the source wants them.
    pub fn questions(&self) -> Vec<(QuestionId, Ask)> {
        self.standing.iter().map(|standing| (standing.id, standing.ask.clone())).collect()
    }
}
