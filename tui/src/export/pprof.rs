//! pprof's profile (`profile.proto`, gzip): slow polls by stack, for `go tool pprof` and what reads the
//! same.
//!
//! Sample values are count and wall time, and, where the split was measured, busy, blocked and preempted
//! time. The outermost frame is the spawn site. Labels: `site`, `task`, `kind`.

use std::collections::HashMap;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use pollscope_model::dict::Frame;

use super::index::ExportIndex;
use super::stacks::{self, Key, UNSEEN, Weights};
use super::wire::Message;

/// Fields of `Profile`.
const SAMPLE_TYPE: u32 = 1;
const SAMPLE: u32 = 2;
const MAPPING: u32 = 3;
const LOCATION: u32 = 4;
const FUNCTION: u32 = 5;
const STRING_TABLE: u32 = 6;
const TIME_NANOS: u32 = 9;
const DURATION_NANOS: u32 = 10;
const PERIOD_TYPE: u32 = 11;
const PERIOD: u32 = 12;
const COMMENT: u32 = 13;
const DEFAULT_SAMPLE_TYPE: u32 = 14;

/// Each text, function and location once.
#[derive(Default)]
struct Tables {
    texts: HashMap<String, u64>,
    ordered: Vec<String>,
    functions: HashMap<(u64, u64), u64>,
    locations: HashMap<(u64, u64), u64>,
    /// Functions and locations, as they go into the profile.
    body: Message,
}

impl Tables {
    fn text(&mut self, text: &str) -> u64 {
        if let Some(known) = self.texts.get(text) {
            return *known;
        }
        let index = self.ordered.len() as u64;
        self.texts.insert(text.to_owned(), index);
        self.ordered.push(text.to_owned());
        index
    }

    fn location(&mut self, function: &str, file: &str, line: u32) -> u64 {
        let (name, file) = (self.text(function), self.text(file));
        let fresh = self.functions.len() as u64 + 1;
        let function = *self.functions.entry((name, file)).or_insert(fresh);
        if function == fresh {
            let message = Message::default().uint(1, fresh).uint(2, name).uint(3, name).uint(4, file);
            self.body.put(FUNCTION, message.bytes());
        }
        let fresh = self.locations.len() as u64 + 1;
        let location = *self.locations.entry((function, u64::from(line))).or_insert(fresh);
        if location == fresh {
            let line = Message::default().uint(1, function).uint(2, u64::from(line));
            // All of it is in the one mapping.
            let message = Message::default().uint(1, fresh).uint(2, 1).message(4, &line);
            self.body.put(LOCATION, message.bytes());
        }
        location
    }

    fn frame(&mut self, frame: &Frame) -> u64 {
        self.location(&frame.function, frame.file.as_deref().unwrap_or_default(), frame.line)
    }

    /// The spawn site as the outermost frame; its line is the line of the spawn.
    fn site(&mut self, site: &str) -> u64 {
        let mut parts = site.rsplitn(3, ':');
        let (column, line, file) = (parts.next(), parts.next(), parts.next());
        let line = line.and_then(|line| line.parse().ok());
        match (file, line, column) {
            (Some(file), Some(line), Some(_)) => self.location(&format!("tasks of {site}"), file, line),
            _ => self.location(&format!("tasks of {site}"), "", 0),
        }
    }
}

/// Writes the profile.
pub(super) fn write<W: Write>(index: &ExportIndex, out: W) -> io::Result<W> {
    let sums = stacks::sum(index);
    let split = sums.values().any(|weights| weights.unsplit < weights.count);
    let mut tables = Tables::default();
    tables.text("");
    let mut profile = Message::default();
    let mut value_type = |tables: &mut Tables, field, name: &str, unit: &str| {
        let message = Message::default().uint(1, tables.text(name)).uint(2, tables.text(unit));
        profile.put(field, message.bytes());
    };
    value_type(&mut tables, SAMPLE_TYPE, "count", "count");
    value_type(&mut tables, SAMPLE_TYPE, "wall", "nanoseconds");
    for name in ["busy", "blocked", "preempted"].into_iter().filter(|_| split) {
        value_type(&mut tables, SAMPLE_TYPE, name, "nanoseconds");
    }
    value_type(&mut tables, PERIOD_TYPE, "slow polls", "count");
    for (key, weights) in &sums {
        let sample = sample(index, &mut tables, key, weights, split);
        profile.put(SAMPLE, sample.bytes());
    }
    let exe = tables.text(&index.hello.process.exe);
    // id, file, and that functions, files, lines and inlined calls are known.
    let mapping =
        (7..=10).fold(Message::default().uint(1, 1).uint(5, exe), |mapping, known| mapping.uint(known, 1));
    profile.put(MAPPING, mapping.bytes());
    let comments =
        comments(index, &sums).into_iter().map(|comment| tables.text(&comment)).collect::<Vec<_>>();
    let default = tables.text("wall");
    let mut whole = profile;
    whole = whole
        .uint(TIME_NANOS, index.unix_ns(index.span.0).min(i64::MAX as u64))
        .uint(DURATION_NANOS, index.span.1 - index.span.0)
        .uint(PERIOD, 1)
        .packed(COMMENT, comments)
        .uint(DEFAULT_SAMPLE_TYPE, default);
    let mut gzip = GzEncoder::new(out, Compression::default());
    gzip.write_all(whole.bytes())?;
    gzip.write_all(tables.body.bytes())?;
    for text in &tables.ordered {
        gzip.write_all(Message::default().text(STRING_TABLE, text).bytes())?;
    }
    gzip.finish()
}

fn sample(index: &ExportIndex, tables: &mut Tables, key: &Key, weights: &Weights, split: bool) -> Message {
    let frames = stacks::frames(index, key);
    let mut locations: Vec<u64> = frames.iter().map(|frame| tables.frame(frame)).collect();
    if frames.is_empty() {
        locations.push(tables.location(UNSEEN, "", 0));
    }
    locations.push(tables.site(&key.site));
    let mut values = vec![weights.count, weights.wall_ns];
    if split {
        values.extend([weights.busy_ns, weights.blocked_ns, weights.preempted_ns]);
    }
    let mut sample = Message::default().packed(1, locations).packed(2, values);
    for (name, value) in [("site", &*key.site), ("task", &*key.task), ("kind", key.kind)] {
        if !value.is_empty() {
            let label = Message::default().uint(1, tables.text(name)).uint(2, tables.text(value));
            sample = sample.message(3, &label);
        }
    }
    sample
}

/// What a reader should know.
fn comments(index: &ExportIndex, sums: &std::collections::BTreeMap<Key, Weights>) -> Vec<String> {
    let process = &index.hello.process;
    let mut comments = vec![
        format!("pollscope: slow polls of {} (pid {}, {})", process.name, process.pid, process.host),
        "Each sample is a poll above the service's limit; its stack is where its thread was at one look."
            .to_owned(),
    ];
    let unsplit: u64 = sums.values().map(|weights| weights.unsplit).sum();
    if unsplit > 0 {
        comments.push(format!(
            "Of {unsplit} polls only the wall time is known: their busy, blocked and preempted time are left out, \
             not zero."
        ));
    }
    comments
}
