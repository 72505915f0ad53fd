//! What a setting has to be like, whether it comes from the builder or from the environment. An error says what
//! is wrong with the value, and nothing else.

use std::path::PathBuf;
use std::time::Duration;

const INTERVALS: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);
/// Below that a recording would be all beginnings.
const MIN_RECORD_LIMIT: u64 = 1 << 20;
/// The most that a policy may take: it travels in every greeting.
const MAX_POLICY_BYTES: usize = 256 * 1024;

/// A path to record into.
pub(crate) fn record(path: PathBuf) -> Result<PathBuf, String> {
    if path.as_os_str().is_empty() {
        return Err("the path is empty".to_owned());
    }
    if path.to_string_lossy().contains(char::is_control) {
        return Err("the path has control characters".to_owned());
    }
    Ok(path)
}

pub(crate) fn record_limit(bytes: u64) -> Result<u64, String> {
    if bytes < MIN_RECORD_LIMIT { Err("it is below 1MiB".to_owned()) } else { Ok(bytes) }
}

/// Checks a collector's address and brings it into the form `http://host:port` or `unix:PATH`.
pub(crate) fn endpoint(text: &str) -> Result<String, String> {
    let text = text.trim();
    if let Some(path) = text.strip_prefix("unix:") {
        return match path {
            _ if !cfg!(unix) => Err("this system has no Unix sockets".to_owned()),
            "" => Err("the path is empty".to_owned()),
            _ if path.contains(char::is_control) => Err("the path has control characters".to_owned()),
            _ => Ok(text.to_owned()),
        };
    }
    let text = text.trim_end_matches('/');
    let rest = match text.split_once("://") {
        Some(("http", rest)) => rest,
        Some(("https", _)) => return Err("TLS is not supported yet".to_owned()),
        Some(_) => return Err("the scheme is not http".to_owned()),
        None => text,
    };
    let (host, port) = rest.rsplit_once(':').ok_or("the port is missing")?;
    let bad = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']'));
    if host.is_empty() || host.contains(bad) {
        return Err("that is no host".to_owned());
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok(format!("http://{host}:{port}")),
        _ => Err("that is no port".to_owned()),
    }
}

pub(crate) fn interval(interval: Duration) -> Result<Duration, String> {
    if INTERVALS.contains(&interval) { Ok(interval) } else { Err("it is out of range".to_owned()) }
}

pub(crate) fn policy(text: String) -> Result<String, String> {
    if text.len() > MAX_POLICY_BYTES { Err("it is over 256 KiB".to_owned()) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_a_host_and_a_port() {
        assert_eq!(endpoint("collector:7700"), Ok("http://collector:7700".to_owned()));
        assert_eq!(endpoint("http://[::1]:7700/"), Ok("http://[::1]:7700".to_owned()));
        for bad in ["", "collector", "https://collector:7700", "ftp://c:1", "a b:1", "c:0", "c:x", ":7"] {
            assert!(endpoint(bad).is_err(), "{bad:?} was taken");
        }
    }
}
