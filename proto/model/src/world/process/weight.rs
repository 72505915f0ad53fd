//! What a process holds in bytes, to read. Bytes are counted where they are held, so that asking costs a few
//! additions.

use super::{Process, Times};
use crate::entity::slow_poll::SlowPoll;
use crate::entity::stall::Stall;
use crate::world::fold::Staging;

/// The history of one worker, and of one runtime, when it is as long as it gets.
const WORKER_BYTES: usize = 8 << 10;
const RUNTIME_BYTES: usize = 6 << 10;

impl Process {
    /// Bytes that it holds, to within what an allocator adds.
    pub fn held_bytes(&self) -> usize {
        let hello = &self.hello;
        let texts = hello.policy.len()
            + hello.capabilities.iter().map(|capability| 64 + capability.reason.len()).sum::<usize>();
        size_of::<Self>()
            + texts
            + self.tasks.held_bytes()
            + self.site_bytes
            + self.dictionary.held_bytes()
            + self.events.held_bytes()
            + self.staging.as_ref().map_or(0, |staging| Staging::held_bytes(staging))
            + self.edges.held_bytes()
            + self.workers.len() * WORKER_BYTES
            + self.runtimes.len() * RUNTIME_BYTES
            + self.slow_polls.capacity() * size_of::<SlowPoll>()
            + self.stalls.capacity() * size_of::<Stall>()
            + self.times.heap_bytes(|times: &Times| times.poll.heap_bytes() + times.sched.heap_bytes())
    }

    /// How many of its sites are kept with coarser times or without history, because all of them together
    /// hold too much.
    pub(crate) fn reduced_sites(&self) -> usize {
        self.reduced_sites
    }
}
