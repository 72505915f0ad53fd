//! What the commands take that print one page: `ps`, `tasks`, `sites`, `workers` and `findings`.

use clap::{Args, ValueEnum};

use super::duration;
use crate::sources::target::Target;

/// What the commands that print one page take.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct PageArgs {
    /// A process, a collector or a recording (the state at its end) [default: every process of this machine]
    #[arg(long, value_name = "TARGET")]
    pub from: Option<Target>,
    /// Only the rows that match, as on the screens: words, `busy>1ms`, `state=idle`, `!word`
    #[arg(long, value_name = "EXPR")]
    pub filter: Option<String>,
    /// Sort by a column, `:asc` or `:desc`; repeat for further keys [default: trouble first]
    #[arg(long, value_name = "COL[:asc|desc]")]
    pub sort: Vec<SortArg>,
    /// Print at most so many rows [default: 50 in a table, else all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Print again every second, until stopped or the target has ended
    #[arg(long)]
    pub watch: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Watch so long before the first page; the rules need some history to judge [default: as long as the rules need for `findings`, else until two reports are in]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub watch_for: Option<std::time::Duration>,
}

const HELP: &str = "\
Examples:
  pollscope tasks --sort busy --limit 10
  pollscope sites --from 127.0.0.1:7700 --format csv
  pollscope findings --from checkout --format json | jq '.rows[].headline'";

/// How a page is printed.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// Aligned columns for people
    #[default]
    Table,
    /// One JSON object, schema `pollscope/1`
    Json,
    /// A header line, then a line for each row
    Csv,
}

/// One `--sort` key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SortArg {
    /// The column as the user wrote it.
    pub column: String,
    /// The direction, if given.
    pub descending: Option<bool>,
}

impl std::str::FromStr for SortArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (column, descending) = match text.split_once(':') {
            None => (text, None),
            Some((column, "asc")) => (column, Some(false)),
            Some((column, "desc")) => (column, Some(true)),
            Some((_, other)) => return Err(format!("`{other}` is no direction: expected asc or desc")),
        };
        if column.is_empty() {
            return Err("the column is missing: expected COL, COL:asc or COL:desc".to_owned());
        }
        Ok(Self { column: column.to_owned(), descending })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sort_keys_have_a_direction_or_none() {
        let key = |column: &str, descending| Ok(SortArg { column: column.to_owned(), descending });
        assert_eq!("busy".parse(), key("busy", None));
        assert_eq!("busy:asc".parse(), key("busy", Some(false)));
        assert_eq!("busy:desc".parse(), key("busy", Some(true)));
        assert!("busy:down".parse::<SortArg>().is_err());
        assert!(":asc".parse::<SortArg>().is_err());
    }
}
