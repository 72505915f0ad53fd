//! The settings that are one of several: where to listen, when to record polls, which signal asks for a dump.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a process can be attached to. Prints as a value for `--from`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Listen {
    /// A Unix socket named after the process id, in `$XDG_RUNTIME_DIR/pollscope/` or
    /// `/tmp/pollscope-<uid>/`.
    #[default]
    Auto,
    /// Nowhere.
    Off,
    /// That Unix socket.
    Unix(PathBuf),
    /// TCP on a loopback address; port 0 takes a free one.
    Tcp(SocketAddr),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("unix"),
            Self::Off => f.write_str("off"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "unix" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            text => match text.strip_prefix("unix:") {
                Some("") => Err("the path is empty".to_owned()),
                Some(path) => Ok(Self::Unix(path.into())),
                None => text
                    .replacen("localhost:", "127.0.0.1:", 1)
                    .parse()
                    .map(Self::Tcp)
                    .map_err(|_| "that is no address".to_owned()),
            },
        }
    }
}

/// A signal that asks a process for a dump.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum DumpSignal {
    /// `SIGUSR1`.
    Usr1,
    /// `SIGUSR2`.
    Usr2,
}

impl DumpSignal {
    const ALL: [Self; 2] = [Self::Usr1, Self::Usr2];

    /// The name in `POLLSCOPE_DUMP_SIGNAL`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usr1 => "usr1",
            Self::Usr2 => "usr2",
        }
    }
}

impl FromStr for DumpSignal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|signal| signal.as_str() == text.trim());
        named.ok_or_else(|| "that is none of them".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_print() {
        for text in ["unix", "off", "unix:/run/x.sock", "127.0.0.1:0", "[::1]:7000"] {
            assert_eq!(text.parse::<Listen>().map(|listen| listen.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("localhost:80".parse(), Ok(Listen::Tcp(([127, 0, 0, 1], 80).into())));
        for bad in ["", "unix:", "somewhere", "127.0.0.1", "127.0.0.1:99999"] {
            assert!(bad.parse::<Listen>().is_err(), "{bad:?} was taken");
        }
    }
}
