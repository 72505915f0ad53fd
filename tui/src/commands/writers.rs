//! Every writer of this crate, given hostile text.
//!
//! The formats are asked for by their enums and written by the functions that the commands call: a format that is
//! added is in the list. `examples/tests/tidy/writers.rs` lists the files in which text leaves.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use clap::ValueEnum as _;
use pollscope_model::testkit::{self, HOSTILE};

use crate::commands::cli::check::VerdictFormat;
use crate::commands::cli::diff::DiffFormat;
use crate::commands::cli::export::ExportFormat;
use crate::commands::cli::page::Format;
use crate::commands::{baseline, check, diff, doctor, report};
use crate::export;
use crate::output::fmt::notice;
use crate::screens::keymap::key::Key;
use crate::screens::rig::Rig;
use crate::screens::state::Tab;
use crate::screens::update::Effect;

/// What one writer wrote, and which characters of it are its own.
struct Written {
    by: String,
    text: String,
    own: &'static [char],
}

fn all() -> Vec<Written> {
    let mut all = Vec::new();
    let mut add = |by: String, text: String, own| all.push(Written { by, text, own });
    for format in Format::value_variants() {
        add(format!("page {format:?}"), report::tests::hostile(*format), &[]);
    }
    for format in VerdictFormat::value_variants() {
        add(format!("verdict {format:?}"), check::format::hostile::written(*format), own(*format));
    }
    for format in DiffFormat::value_variants() {
        let own: &[char] = if *format == DiffFormat::Md { &MARKDOWN } else { &[] };
        add(format!("comparison {format:?}"), diff::hostile(*format), own);
    }
    for format in ExportFormat::value_variants() {
        let text = export::tests::of_hostile(*format);
        // Of bytes only the text counts: it is there, without what makes it harmful.
        let bytes = matches!(format, ExportFormat::Perfetto | ExportFormat::Pprof);
        let text = if bytes { said(&text) } else { text };
        add(format!("export {format:?}"), text, &[]);
    }
    add("doctor".to_owned(), doctor::hostile(), &[]);
    add("baseline".to_owned(), baseline::hostile(), &[]);
    add("notice".to_owned(), notice(HOSTILE), &[]);
    for tab in Tab::ALL {
        for keys in ["", "\n", "d", "e"] {
            let mut rig = Rig::hostile(tab);
            rig.press(keys);
            let what = format!("{} {keys:?}", tab.title());
            add(format!("screen {what}"), rig.draw(200, 60), &[]);
            for (key, of) in [('y', "text"), ('Y', "JSON")] {
                rig.effects.clear();
                rig.key(Key::char(key));
                let copied = |effect: &Effect| match effect {
                    Effect::Copy(text) => Some(text.clone()),
                    _ => None,
                };
                if let Some(text) = rig.effects.iter().find_map(copied) {
                    add(format!("clipboard {what} as {of}"), text, &[]);
                }
            }
        }
    }
    all
}

/// What keeps Markdown from linking is not seen.
const MARKDOWN: [char; 1] = ['\u{200b}'];

fn own(format: VerdictFormat) -> &'static [char] {
    if format == VerdictFormat::Md { &MARKDOWN } else { &[] }
}

/// Of a text with other bytes in it: a line for each place that says what [`HOSTILE`] says, as long as that.
fn said(text: &str) -> String {
    let begins = text.match_indices("=cmd()");
    let of = |(at, _)| text[at..].chars().take(HOSTILE.chars().count() - 12).collect::<String>();
    begins.map(of).collect::<Vec<_>>().join("\n")
}

#[test]
fn nothing_harmful_is_written_by_any_writer() {
    let all = all();
    let mut faults = Vec::new();
    for Written { by, text, own } in &all {
        let raw = testkit::raw(text, own);
        if !raw.is_empty() {
            faults.push(format!("{by}: {}", raw.join(", ")));
        }
    }
    assert!(faults.is_empty(), "{} of {} writers\n{}", faults.len(), all.len(), faults.join("\n"));
    // Each was given the text, or it would show nothing.
    for Written { by, text, .. } in all {
        assert!(text.contains("cmd()"), "{by} does not say it: {text}");
    }
}

#[test]
fn no_field_of_a_page_is_a_formula() {
    let text = report::tests::hostile(Format::Csv);
    let mut fields = 0;
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    for row in reader.records() {
        for field in &row.unwrap() {
            fields += usize::from(field.contains("cmd()"));
            assert!(
                field.split(';').all(|part| !part.trim_start().starts_with(['=', '+', '-', '@'])),
                "{field}"
            );
        }
    }
    assert!(fields > 5, "{text}");
}
