//! Who this process is: read once from the operating system, told in every greeting.

use std::time::Duration;

use pollscope_model::hello::{Hello, ProcessInfo, ProtocolVersion};
use pollscope_model::hist;
use pollscope_model::id::BootId;
use pollscope_model::measured::{Capability, Mode};
use pollscope_recorder::clock;

use crate::setup::config::Config;
use crate::setup::mode;

/// What stays the same for one incarnation.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) boot: BootId,
    process: ProcessInfo,
    interval: Duration,
    policy: String,
    slow_poll_ns: u64,
    #[cfg(feature = "recording")]
    started_unix_s: u64,
}

impl Identity {
    pub(crate) fn of_this_process(config: &Config, boot: BootId) -> Self {
        let exe = std::env::current_exe().unwrap_or_default();
        let name = config.name.clone().unwrap_or_else(|| file_name(&exe));
        Self {
            boot,
            process: ProcessInfo {
                name,
                pid: std::process::id(),
                host: host(),
                exe: exe.to_string_lossy().into_owned(),
                cpus: std::thread::available_parallelism().map_or(0, |cpus| cpus.get() as u32),
                build: build(),
            },
            interval: config.interval,
            policy: config.policy.clone(),
            slow_poll_ns: config.recorder.slow_poll_ns,
            #[cfg(feature = "recording")]
            started_unix_s: clock::anchor().unix_ns / pollscope_model::time::SECOND,
        }
    }

    /// A file name that no other process has: `checkout-4711-20261121-081015.mcap`.
    #[cfg(feature = "recording")]
    pub(crate) fn file_name(&self, extension: &str) -> String {
        self.file_name_at(self.started_unix_s, extension)
    }

    /// The same, for what happened at a time.
    #[cfg(feature = "recording")]
    pub(crate) fn file_name_at(&self, unix_s: u64, extension: &str) -> String {
        format!("{}.{extension}", self.file_stem(unix_s))
    }

    /// The same without its ending.
    #[cfg(feature = "recording")]
    pub(crate) fn file_stem(&self, unix_s: u64) -> String {
        format!("{}-{}-{}", self.plain_name(), self.process.pid, date_and_time(unix_s))
    }

    /// The service's name as part of a file's; of a long one its end, which says more of a test.
    #[cfg(feature = "recording")]
    pub(crate) fn plain_name(&self) -> String {
        let plain = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
        let name = &self.process.name;
        let beyond = name.chars().count().saturating_sub(64);
        name.chars().skip(beyond).skip_while(|c| *c == '.').map(plain).collect()
    }

    /// The greeting of this moment: mode and capabilities grow when a runtime is attached.
    pub(crate) fn hello(&self, protocol: ProtocolVersion) -> Hello {
        self.hello_with(protocol, mode::mode(), mode::capabilities())
    }

    /// The greeting of one who measures these.
    pub(crate) fn hello_with(
        &self,
        protocol: ProtocolVersion,
        mode: Mode,
        capabilities: Vec<Capability>,
    ) -> Hello {
        Hello {
            protocol,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot: self.boot,
            process: self.process.clone(),
            mode,
            capabilities,
            anchor: clock::anchor(),
            interval_ns: self.interval.as_nanos() as u64,
            hist_scale: hist::SCALE,
            policy: self.policy.clone(),
            slow_poll_ns: Some(self.slow_poll_ns),
        }
    }
}

/// `x86_64-linux debug`: as this crate was built, which is as the service was unless it says otherwise.
fn build() -> String {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    format!("{}-{} {profile}", std::env::consts::ARCH, std::env::consts::OS)
}

/// `20261121-081015`, UTC.
#[cfg(feature = "recording")]
fn date_and_time(unix_s: u64) -> String {
    // Days to a date of the Gregorian calendar, in eras of 400 years that begin in March.
    let (days, second) = (unix_s / 86_400 + 719_468, unix_s % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
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

#[cfg(all(test, feature = "recording"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_has_the_service_its_pid_and_when_it_started() {
        let config = Config { name: Some("../a b/checkout".to_owned()), ..Config::default() };
        let identity =
            Identity { started_unix_s: 1_795_248_615, ..Identity::of_this_process(&config, BootId(1)) };
        let pid = std::process::id();
        assert_eq!(identity.file_name("mcap"), format!("_a_b_checkout-{pid}-20261121-081015.mcap"));
    }

    #[test]
    fn dates_are_right_round_leap_days() {
        for (unix_s, text) in [
            (0, "19700101-000000"),
            (951_782_400, "20000229-000000"),
            (1_709_251_199, "20240229-235959"),
            (1_709_251_200, "20240301-000000"),
            (4_107_542_400, "21000301-000000"),
        ] {
            assert_eq!(date_and_time(unix_s), text);
        }
    }
}
