//! What a user may write for a target, and the words when it is none. Pure: it neither looks at the
//! machine nor connects.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use pollscope_proto::recording::EXTENSION;

use crate::output::failure::Failure;
use crate::output::fmt::clean;

/// Where an instrumented process, a collector or a recording is found.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// A Unix socket.
    Unix(PathBuf),
    /// `host:port`, TCP without TLS.
    Tcp(String),
    /// A process of this machine by its number.
    Pid(u32),
    /// The processes of this machine whose service has that name.
    Name(String),
    /// A recording.
    File(PathBuf),
}

/// A text that is no target.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "`{text}` is not a target: {problem}; expected HOST:PORT, http://HOST:PORT, unix:PATH, a PID, a service name or a recording (FILE.mcap)"
)]
pub struct TargetError {
    text: String,
    problem: String,
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let no = |problem: &str| TargetError { text: clean(text).into_owned(), problem: problem.to_owned() };
        if text.trim().is_empty() {
            return Err(no("it is empty"));
        }
        if text.chars().any(char::is_control) {
            return Err(no("it has control characters"));
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.trim_start_matches('/').is_empty() {
                Err(no("no path follows `unix:`"))
            } else {
                Ok(Self::Unix(path.into()))
            };
        }
        if let Some(path) = text.strip_prefix("file:") {
            return if path.is_empty() {
                Err(no("no path follows `file:`"))
            } else {
                Ok(Self::File(path.into()))
            };
        }
        if !text.contains("://") && Path::new(text).extension().is_some_and(|ending| ending == EXTENSION) {
            return Ok(Self::File(text.into()));
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return match scheme {
                "http" => {
                    let authority = rest.strip_suffix('/').unwrap_or(rest);
                    if authority.contains(['/', '?', '#']) {
                        return Err(no("nothing may follow the port"));
                    }
                    authority_of(authority).map(Self::Tcp).map_err(|problem| no(&problem))
                }
                "https" => Err(no("TLS is not built in yet, use http:// over a tunnel")),
                _ => Err(no(&format!("`{}` is not a known scheme", clean(scheme)))),
            };
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return match text.parse() {
                Ok(pid) if pid > 0 => Ok(Self::Pid(pid)),
                _ => Err(no("there is no such process number")),
            };
        }
        if text.contains('/') || Path::new(text).extension().is_some_and(|ending| ending == "sock") {
            return Err(no(&format!(
                "a path is written `unix:{text}`, or `file:{text}` if it is a recording"
            )));
        }
        if text.contains(':') {
            return authority_of(text).map(Self::Tcp).map_err(|problem| no(&problem));
        }
        if text.starts_with('-') || text.contains(char::is_whitespace) {
            return Err(no("a service name has neither spaces nor a leading dash"));
        }
        Ok(Self::Name(text.to_owned()))
    }
}

/// `host:port` with both parts there; IPv6 addresses stand in brackets.
fn authority_of(text: &str) -> Result<String, String> {
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err("the port is missing".to_owned());
    };
    if host.is_empty() {
        return Err("the host is missing".to_owned());
    }
    let bracketed = host.starts_with('[') && host.ends_with(']');
    if bracketed && host[1..host.len() - 1].parse::<std::net::Ipv6Addr>().is_err() {
        return Err(format!("`{host}` is not an IPv6 address"));
    }
    if !bracketed && host.contains([':', '[', ']']) {
        return Err("an IPv6 address is written [::1]:PORT".to_owned());
    }
    if !bracketed && host.contains(|c: char| c.is_whitespace() || c == '@') {
        return Err(format!("`{host}` is not a host name"));
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok(format!("{host}:{port}")),
        _ => Err(format!("`{port}` is not a port (1 to 65535)")),
    }
}

/// As the user would write it again.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(authority) => f.write_str(authority),
            Self::Pid(pid) => write!(f, "{pid}"),
            Self::Name(name) => f.write_str(name),
            Self::File(path) if path.extension().is_some_and(|ending| ending == EXTENSION) => {
                write!(f, "{}", path.display())
            }
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_target_is_read() {
        let cases = [
            ("unix:/run/x.sock", Target::Unix("/run/x.sock".into())),
            ("unix:x.sock", Target::Unix("x.sock".into())),
            ("127.0.0.1:7700", Target::Tcp("127.0.0.1:7700".into())),
            ("[::1]:7700", Target::Tcp("[::1]:7700".into())),
            ("web-03:80", Target::Tcp("web-03:80".into())),
            ("http://web-03:80", Target::Tcp("web-03:80".into())),
            ("http://web-03:80/", Target::Tcp("web-03:80".into())),
            ("412", Target::Pid(412)),
            ("checkout", Target::Name("checkout".into())),
            ("checkout-2", Target::Name("checkout-2".into())),
            ("run.mcap", Target::File("run.mcap".into())),
            ("dir/run 1.mcap", Target::File("dir/run 1.mcap".into())),
            ("file:dump", Target::File("dump".into())),
        ];
        for (text, target) in cases {
            assert_eq!(text.parse(), Ok(target), "{text}");
        }
    }

    #[test]
    fn what_is_no_target_is_named_with_the_remedy() {
        let cases = [
            ("", "it is empty"),
            ("  ", "it is empty"),
            ("unix:", "no path follows"),
            ("http://web-03", "the port is missing"),
            ("http://web-03:80/metrics", "nothing may follow the port"),
            ("https://web-03:443", "TLS is not built in yet"),
            ("ftp://web-03:21", "not a known scheme"),
            ("web-03:0", "`0` is not a port"),
            ("web-03:70000", "`70000` is not a port"),
            ("web-03:http", "`http` is not a port"),
            (":7700", "the host is missing"),
            ("::1:7700", "an IPv6 address is written [::1]:PORT"),
            ("[zz]:7700", "is not an IPv6 address"),
            ("user@host:80", "is not a host name"),
            ("0", "no such process number"),
            ("99999999999", "no such process number"),
            ("/run/x.sock", "a path is written `unix:/run/x.sock`"),
            ("x.sock", "a path is written `unix:x.sock`"),
            ("two words", "neither spaces"),
            ("--from", "leading dash"),
            ("a\u{1b}[2Jb", "control characters"),
        ];
        for (text, problem) in cases {
            let error = text.parse::<Target>().expect_err(text).to_string();
            assert!(error.contains(problem), "{text:?}: {error}");
            assert!(error.contains("expected HOST:PORT"), "{error}");
            assert!(!error.chars().any(char::is_control), "{error:?}");
        }
    }

    #[test]
    fn a_target_prints_as_it_is_written() {
        for text in ["unix:/run/x.sock", "127.0.0.1:7700", "412", "checkout", "a/run.mcap", "file:dump"] {
            assert_eq!(text.parse::<Target>().map(|t| t.to_string()), Ok(text.to_owned()));
        }
    }
}
