//! One changed policy file: parsed; what is wrong with it is put into words.

use std::sync::LazyLock;

use pollscope_model::policy::Policy;

use crate::books::Books;
use crate::chance::Chance;
use crate::mutate;

/// Every rule with its limits, as the documented default has them, in its sections and without the comments.
static SOUND: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| {
    let mut sections: Vec<Vec<String>> = Vec::new();
    for line in Policy::default_toml().lines().map(str::trim) {
        if line.starts_with('[') {
            sections.push(Vec::new());
        }
        if let Some(section) = sections.last_mut().filter(|_| !line.is_empty() && !line.starts_with('#')) {
            section.push(line.split('#').next().unwrap_or_default().trim_end().to_owned());
        }
    }
    sections
});

/// What may stand where something else should.
const ODD: [&str; 24] = [
    "\"10ms\"",
    "\"-1s\"",
    "\"1e99h\"",
    "\"18446744073709551616ns\"",
    "\"\"",
    "0",
    "-1",
    "1e400",
    "nan",
    "inf",
    "9223372036854775807",
    "9223372036854775808",
    "true",
    "[]",
    "{}",
    "[[[[[[[[[[[[[[[[",
    "{a={a={a={a={a={a={",
    "\"\"\"",
    "'",
    "1979-05-27T07:32:00Z",
    "\"deny\"",
    "\"\u{202e}\u{0}\u{1f4a9}\"",
    "level",
    "detectors",
];

/// See the module.
pub(crate) fn one(chance: &mut Chance) -> Books {
    let text = changed(chance);
    let mut books = Books { policies: 1, ..Books::default() };
    match Policy::parse(&text) {
        Ok(_) => books.taken = 1,
        Err(error) => assert!(!error.to_string().is_empty(), "an error without words"),
    }
    books
}

fn changed(chance: &mut Chance) -> String {
    let first = chance.below(SOUND.len());
    let some = (first + 1 + chance.below(4)).min(SOUND.len());
    let mut lines: Vec<String> = SOUND[first..some].concat();
    for _ in 0..chance.below(5) {
        let (at, to) = (chance.below(lines.len()), chance.below(lines.len()));
        match chance.below(6) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(to, lines[at].clone()),
            2 => lines.swap(at, to),
            3 => {
                lines[at] =
                    format!("{} = {}", lines[at].split('=').next().unwrap_or(""), chance.of_these(&ODD));
            }
            4 => lines[at] = format!("{} = {}", chance.of_these(&ODD), lines[to]),
            _ => lines[at] = deep(chance),
        }
        if lines.is_empty() {
            break;
        }
    }
    let mut text = lines.join("\n").into_bytes();
    if chance.one_in(3) {
        mutate::bytes(&mut text, chance);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Something nested, or long.
fn deep(chance: &mut Chance) -> String {
    let times = 1 << chance.below(14);
    match chance.below(4) {
        0 => format!("a = {}", "[".repeat(times)),
        1 => format!("{}b = 1", "a.".repeat(times)),
        2 => format!("[{}]", "a.".repeat(times)),
        _ => format!("a = \"{}\"", "\\u0041".repeat(times)),
    }
}
