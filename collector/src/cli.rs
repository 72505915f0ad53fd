//! The command line. Its flags have the names of the configuration file's keys and win over them.

use std::path::PathBuf;

use clap::Parser;

use crate::config::{Config, ConfigError};
use crate::listen::Address;

/// Takes the reports of many instrumented processes and answers viewers.
///
/// Services push to it with POLLSCOPE_ENDPOINT=http://127.0.0.1:7700; look at them with
/// `pollscope connect http://127.0.0.1:7700`. Everything is kept in memory, for 15 minutes.
/// POLLSCOPE_LOG sets what is logged to stderr (default: info).
#[derive(Parser, Debug)]
#[command(name = "pollscope-collector", version)]
pub struct Cli {
    /// TOML file with the same names as the flags: listen = "127.0.0.1:7700"
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to listen: HOST:PORT of a loopback address (port 0: any free one), or unix:PATH
    /// [default: 127.0.0.1:7700]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<Address>,
}

impl Cli {
    /// Defaults, the file over them, the flags over both.
    pub fn into_config(self) -> Result<Config, ConfigError> {
        let mut config = self.config.as_deref().map_or_else(|| Ok(Config::default()), Config::read)?;
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("collector.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\n").unwrap();
        let file = file.to_str().unwrap();
        let listen = |args: &[&str]| {
            let args = std::iter::once(&"pollscope-collector").chain(args);
            Cli::try_parse_from(args).unwrap().into_config().unwrap().listen.to_string()
        };
        assert_eq!(listen(&[]), "127.0.0.1:7700");
        assert_eq!(listen(&["--config", file]), "127.0.0.1:1");
        assert_eq!(listen(&["--config", file, "--listen", "127.0.0.1:2"]), "127.0.0.1:2");
    }
}
