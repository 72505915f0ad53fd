//! Who gives way when a world holds as much as it may: processes that are gone first, of the name that has
//! most of them; then the process that holds most. What others hold is not touched.

use std::collections::HashMap;

use super::{TooManyProcesses, World};
use crate::id::BootId;

impl World {
    /// Bytes that all processes hold.
    pub fn held_bytes(&self) -> usize {
        self.bytes
    }

    /// Makes room for one more process, if all places are taken.
    pub(super) fn make_place(&mut self) -> Result<(), TooManyProcesses> {
        if self.processes.len() < self.limits.processes || self.forget_gone() {
            return Ok(());
        }
        Err(TooManyProcesses { limit: self.limits.processes })
    }

    /// Counts a process's bytes anew.
    pub(super) fn weigh(&mut self, boot: BootId) {
        let Some(process) = self.processes.get(&boot) else { return };
        let bytes = process.held_bytes();
        let before = self.weights.insert(boot, bytes).unwrap_or(0);
        self.bytes = self.bytes - before + bytes;
    }

    /// Removes a process and its weight.
    pub(super) fn forget(&mut self, boot: BootId) {
        self.processes.remove(&boot);
        self.bytes -= self.weights.remove(&boot).unwrap_or(0);
    }

    /// Brings the bytes of all processes below the limit.
    pub(super) fn make_room(&mut self) {
        while self.bytes > self.limits.bytes {
            if self.forget_gone() {
                continue;
            }
            let Some((boot, before)) = self.heaviest() else { return };
            if let Some(process) = self.processes.get_mut(&boot) {
                process.shrink();
            }
            self.weigh(boot);
            if self.weights.get(&boot).is_some_and(|now| *now > before / 2) {
                self.forget(boot);
                self.evicted = self.evicted.saturating_add(1);
            }
        }
    }

    fn heaviest(&self) -> Option<(BootId, usize)> {
        self.weights.iter().map(|(boot, bytes)| (*boot, *bytes)).max_by_key(|(_, bytes)| *bytes)
    }

    /// Forgets one process that is gone: of the name that has most of them, so that many short-lived ones
    /// push out each other and not the last state of another service; of these the one that went first.
    fn forget_gone(&mut self) -> bool {
        let gone = || self.processes.values().filter_map(|process| Some((process.gone_since()?, process)));
        let mut names: HashMap<&str, usize> = HashMap::new();
        for (_, process) in gone() {
            *names.entry(&process.hello().process.name).or_default() += 1;
        }
        let order = |(since, process): &(u64, &super::Process)| {
            let namesakes = names.get(process.hello().process.name.as_str()).copied().unwrap_or(0);
            (std::cmp::Reverse(namesakes), *since, process.boot())
        };
        let Some((_, first)) = gone().min_by_key(order) else { return false };
        let boot = first.boot();
        self.forget(boot);
        true
    }
}
