//! What very many live tasks cost: every stage from the recorder to the screen, at 1,000 to 1,000,000 of
//! them, of which 10,000 (or all, if there are fewer) change between two ticks.
//!
//! ```sh
//! cargo run --release -p pollscope-examples --example scale -- [TASKS…] [--json FILE]
//! ```
//!
//! The first table is computed in this process from made-up reports, so that each stage stands alone; the
//! second is a real service and a real viewer, each in a process of its own, over a Unix socket.

mod live;
mod stages;

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::{Map, Value, json};

/// Of these so many change between two ticks.
const CHANGED: usize = 10_000;

/// One row of a table: titles and values, in order.
type Row = Vec<(&'static str, f64)>;

#[expect(clippy::disallowed_methods, reason = "the rim: a program's own arguments")]
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--serve", tasks, socket] => live::serve(tasks, socket),
        ["--watch", socket] => live::watch(socket),
        words => tables(words),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "scale: {error}");
            ExitCode::from(2)
        }
    }
}

fn tables(words: &[&str]) -> Result<(), String> {
    let (numbers, file) = match words {
        [numbers @ .., "--json", file] => (numbers, Some(*file)),
        numbers => (numbers, None),
    };
    let numbers: Result<Vec<usize>, _> = numbers.iter().map(|word| word.parse()).collect();
    let mut sizes = numbers.map_err(|error| format!("{error}: expected numbers of tasks"))?;
    if sizes.is_empty() {
        sizes = vec![1_000, 10_000, 100_000, 1_000_000];
    }
    let stages: Vec<Row> = sizes.iter().map(|tasks| stages::measure(*tasks)).collect();
    print(&markdown(&stages))?;
    let live: Vec<Row> = sizes.iter().map(|tasks| live::measure(*tasks)).collect::<Result<_, _>>()?;
    print(&markdown(&live))?;
    if let Some(file) = file {
        let text = json!({ "stages": objects(&stages), "live": objects(&live) });
        std::fs::write(file, format!("{text:#}\n")).map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(())
}

fn print(text: &str) -> Result<(), String> {
    writeln!(std::io::stdout(), "{text}").map_err(|error| error.to_string())
}

fn objects(rows: &[Row]) -> Vec<Value> {
    let object = |row: &Row| -> Map<String, Value> {
        row.iter().map(|(title, value)| ((*title).to_owned(), json!(value))).collect()
    };
    rows.iter().map(|row| Value::Object(object(row))).collect()
}

fn markdown(rows: &[Row]) -> String {
    let cell = |(_, value): &(_, f64)| match value {
        value if *value >= 100.0 => format!("{value:.0}"),
        value => format!("{value:.2}"),
    };
    let mut lines = Vec::new();
    if let Some(first) = rows.first() {
        let titles: Vec<&str> = first.iter().map(|(title, _)| *title).collect();
        lines.extend([titles.join(" | "), vec!["---"; titles.len()].join(" | ")]);
    }
    lines.extend(rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join(" | ")));
    lines.iter().map(|line| ["| ", line.as_str(), " |\n"].concat()).collect()
}
