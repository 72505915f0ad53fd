//! The page of the manual, `pollscope explain process`: its tables are what is compared.

use super::Figures;

const PAGE: &str = include_str!("../../../../tui/manual/process.md");

/// A figure of the page.
#[derive(Debug)]
struct Bound {
    value: u64,
    /// It is never more; otherwise it is always that.
    at_most: bool,
}

/// `3`, `at most 64`, `at most 1 MiB`.
fn bound(text: &str) -> Option<Bound> {
    let (at_most, text) = text.strip_prefix("at most ").map_or((false, text), |rest| (true, rest));
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let factor = match unit {
        "" | "bytes" | "s" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    Some(Bound { value: number.parse::<u64>().ok()? * factor, at_most })
}

/// The rows whose second column is a figure.
fn bounds() -> Vec<(&'static str, Bound)> {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix('|'));
    let row = |line: &'static str| {
        let mut columns = line.split('|').map(str::trim);
        Some((columns.next()?, bound(columns.next()?)?))
    };
    rows.filter_map(row).collect()
}

/// What the page says, for what comes to be so some time after it was asked for.
pub(super) fn value(name: &str) -> u64 {
    bounds().iter().find(|(known, _)| *known == name).expect("it is on the page").1.value
}

/// Every figure of the page is measured, every measured one is on the page, and all are as it says.
pub(super) fn compare(measured: &Figures) {
    let page = bounds();
    let mut wrong = Vec::new();
    for (name, value) in measured {
        match page.iter().find(|(known, _)| known == name) {
            None => wrong.push(format!("`{name}` is {value}, and the page does not say it")),
            Some((_, Bound { value: most, at_most: true })) if value > most => {
                wrong.push(format!("`{name}` is {value}, more than {most}"));
            }
            Some((_, Bound { value: said, at_most: false })) if value != said => {
                wrong.push(format!("`{name}` is {value}, not {said}"));
            }
            Some(_) => {}
        }
    }
    let unmeasured = page.iter().filter(|(name, _)| !measured.contains_key(*name));
    wrong.extend(unmeasured.map(|(name, bound)| format!("nothing measures `{name}` ({bound:?})")));
    assert!(wrong.is_empty(), "tui/manual/process.md:\n{}\nmeasured: {measured:#?}", wrong.join("\n"));
}
