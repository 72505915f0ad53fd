//! What the viewer holds of a process, written into a recording: the state that is shown, and the
//! single polls of the last moments as far as they were asked for. The process has no part in it.

use std::io;
use std::path::{Path, PathBuf};

use pollscope_model::id::BootId;
use pollscope_model::time::SECOND;
use pollscope_model::world::{Process, World};
use pollscope_proto::recording::{EXTENSION, Writer};

use crate::output::fmt::clean;

/// How far back it goes.
const LAST_NS: u64 = 15 * SECOND;

/// Writes a file of its own into the folder; says in words what came of it.
pub(super) fn write(world: &World, boot: BootId, folder: &Path) -> String {
    let Some(process) = world.process(boot).filter(|process| process.last_seq().is_some()) else {
        return "nothing is known of the process yet".to_owned();
    };
    let path = folder.join(name(process));
    match record(process, &path) {
        Ok(()) => format!("written: {}", clean(&path.display().to_string())),
        Err(error) => format!("cannot write {}: {error}", clean(&path.display().to_string())),
    }
}

/// `checkout-4711-1795248615.dump.mcap`, by the seconds since 1970 of what is in it.
fn name(process: &Process) -> PathBuf {
    let info = &process.hello().process;
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let name: String = info.name.trim_start_matches('.').chars().take(64).map(plain).collect();
    format!("{name}-{}-{}.dump.{EXTENSION}", info.pid, process.now_unix_ns() / SECOND).into()
}

fn record(process: &Process, path: &Path) -> io::Result<()> {
    let file = pollscope_system::file::create_private(path)?;
    let written = Writer::new(file, process.hello()).and_then(|mut writer| {
        process.snapshot_reports(LAST_NS).iter().try_for_each(|report| writer.report(report))?;
        writer.finish()
    });
    // Half a dump is of no use; the name was free before.
    written.map(drop).inspect_err(|_| drop(std::fs::remove_file(path)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step of a test is the test's failure")]

    use pollscope_model::testkit::Script;
    use pollscope_model::world::WorldLimits;
    use pollscope_proto::feed::Message;
    use pollscope_proto::recording::{Ending, Recording};

    use super::*;

    #[test]
    fn what_is_held_can_be_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut script = Script::new("../checkout");
        let mut world = World::new(WorldLimits::default());
        let boot = world.connect(script.hello(), 1).unwrap().boot();
        assert_eq!(write(&world, boot, folder.path()), "nothing is known of the process yet");
        let site = script.site("src/cart.rs:88:9");
        script.spawn(site);
        world.apply(script.second(), 1);
        let said = write(&world, boot, folder.path());
        let path = Path::new(said.strip_prefix("written: ").unwrap());
        assert_eq!(path.parent(), Some(folder.path()), "{said}");
        let mut recording = Recording::open(path).unwrap();
        let mut again = World::new(WorldLimits::default());
        again.connect(recording.hello().clone(), 1).unwrap();
        for entry in recording.messages() {
            if let Message::Report(report) = entry.message {
                again.apply(*report, 1);
            }
        }
        assert_eq!(recording.ending(), Ending::Finished);
        assert_eq!(again.process(boot).unwrap().tasks().count(), 1);
        let second = write(&world, boot, folder.path());
        assert!(second.starts_with("cannot write "), "nothing is written over: {second}");
        assert!(path.exists());
    }
}
