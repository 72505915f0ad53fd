//! Who this process is: read once from the operating system, told in every greeting.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pollscope_model::hello::{Hello, ProcessInfo, ProtocolVersion};
use pollscope_model::hist;
use pollscope_model::id::BootId;

use crate::config::Config;
use crate::{clock, mode};

/// What stays the same for one incarnation.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) boot: BootId,
    process: ProcessInfo,
    interval: Duration,
    policy: String,
}

impl Identity {
    pub(crate) fn of_this_process(config: &Config) -> Self {
        let exe = std::env::current_exe().unwrap_or_default();
        let name = config.name.clone().unwrap_or_else(|| file_name(&exe));
        Self {
            boot: new_boot_id(),
            process: ProcessInfo {
                name,
                pid: std::process::id(),
                host: host(),
                exe: exe.to_string_lossy().into_owned(),
                cpus: std::thread::available_parallelism().map_or(0, |cpus| cpus.get() as u32),
            },
            interval: config.interval,
            policy: config.policy.clone(),
        }
    }

    /// The greeting of this moment: mode and capabilities grow when a runtime is attached.
    pub(crate) fn hello(&self, protocol: ProtocolVersion) -> Hello {
        Hello {
            protocol,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot: self.boot,
            process: self.process.clone(),
            mode: mode::mode(),
            capabilities: mode::capabilities(),
            anchor: clock::anchor(),
            interval_ns: self.interval.as_nanos() as u64,
            hist_scale: hist::SCALE,
            policy: self.policy.clone(),
        }
    }
}

/// Random: the standard library draws the hashers' keys from the operating system.
#[expect(clippy::disallowed_methods, reason = "the rim: what makes this run unlike all others")]
fn new_boot_id() -> BootId {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let half = || {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        hasher.write_u128(since.as_nanos());
        u128::from(hasher.finish())
    };
    BootId(half() << 64 | half())
}

fn file_name(exe: &std::path::Path) -> String {
    exe.file_stem().map_or_else(|| "unnamed".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(unix)]
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}
