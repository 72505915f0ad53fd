//! The collector's settings: defaults, a TOML file over them, and flags over both.
//!
//! Reads the one file that it is given; knows nothing of arguments or the environment. A wrong key
//! or value is one line that names the file, the line, the key and what to do.

use std::ops::Range;
use std::path::{Path, PathBuf};

use pollscope_model::world::WorldLimits;
use pollscope_system::file::{MAX_TEXT_BYTES, read_text};
use serde::Deserialize;
use toml::Spanned;

use crate::listen::{Address, InvalidAddress};

/// The configuration, complete and checked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Config {
    /// Where processes push to and viewers ask.
    pub listen: Address,
    /// How much is kept in memory. No key of the file changes it yet.
    pub limits: WorldLimits,
}

/// Why a configuration file could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no such file, or it cannot be read.
    #[error("{}: {source}; check the path given to --config", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong type.
    #[error("{}:{line}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The key, what is wrong with it and what was expected.
        message: String,
    },
}

/// The file: each key has the name of its flag.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<Spanned<String>>,
}

impl Config {
    /// Reads a configuration file over the defaults.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = read_text(path, MAX_TEXT_BYTES)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    /// Reads the text of a configuration file; `path` only names it in errors.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let invalid = |span: Option<Range<usize>>, message: String| ConfigError::Invalid {
            path: path.to_owned(),
            line: line_of(text, span.map_or(0, |span| span.start)),
            message,
        };
        let file: File = toml::from_str(text).map_err(|error| {
            let message = error.message().lines().collect::<Vec<_>>().join("; ");
            invalid(error.span(), message)
        })?;

        let mut config = Self::default();
        if let Some(listen) = file.listen {
            config.listen = listen
                .get_ref()
                .parse()
                .map_err(|error: InvalidAddress| invalid(Some(listen.span()), format!("listen: {error}")))?;
        }
        Ok(config)
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("collector.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_changes_what_it_names_and_nothing_else() {
        assert_eq!(parse(""), Ok(Config::default()));
        let config = parse("# ours\nlisten = \"unix:/run/pollscope.sock\"\n").unwrap();
        assert_eq!(config.listen.to_string(), "unix:/run/pollscope.sock");
    }

    #[test]
    fn an_error_is_one_line_with_file_line_key_and_remedy() {
        let cases = [
            ("\nlisten = 7\n", "collector.toml:2: ", "string"),
            ("\n\nlsten = \"127.0.0.1:1\"\n", "collector.toml:3: unknown field `lsten`", "`listen`"),
            ("listen = \"here\"\n", "collector.toml:1: listen: invalid address `here`", "expected HOST:PORT"),
            ("listen = \n", "collector.toml:1: ", "string"),
        ];
        for (text, start, remedy) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(start), "{error}");
            assert!(error.contains(remedy), "{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Config::read(Path::new("/no/such/collector.toml")).unwrap_err().to_string();
        assert!(error.starts_with("/no/such/collector.toml: ") && error.contains("--config"), "{error}");
    }
}
