//! What is selected as text or as JSON, for the clipboard: clean, since what is pasted into a shell is typed there.

use pollscope_model::entity::slow_poll::PollKind;
use pollscope_model::finding::Finding;
use pollscope_model::query::ask::Answer;
use pollscope_model::query::column::columns;
use pollscope_model::query::page::Row;
use pollscope_model::value::Value;
use serde_json::{Map, Value as Json, json};

use super::detail_lines;
use crate::output::fmt::clean;
use crate::output::json;
use crate::screens::state::State;
use crate::screens::state::level::Level;

/// Columns that a detail's text is laid out for.
const TEXT_WIDTH: usize = 100;

/// Its kind by name, and its text.
pub fn selected(state: &State, as_json: bool) -> Option<(&'static str, String)> {
    if let Some(Level::Detail(detail)) = state.stack.last() {
        let answer = detail.answer.as_deref()?;
        if !as_json {
            let lines = detail_lines(state, detail, TEXT_WIDTH, 40);
            let text: Vec<String> =
                lines.iter().map(|line| clean(line.plain().trim_end()).into_owned()).collect();
            return Some(("this", text.join("\n")));
        }
        let json = match answer {
            Answer::Task(task) => with_findings(row_json(&task.row), &task.findings),
            Answer::Site(site) => with_findings(row_json(&site.row), &site.findings),
            Answer::Finding(finding) => finding_json(finding),
            _ => return None,
        };
        return Some(("this", json::line(&json).ok()?));
    }
    let row = state.list()?.selected_row()?;
    let text = if as_json { json::line(&row_json(row)).ok()? } else { row_text(row) };
    Some(("the row", text))
}

fn row_text(row: &Row) -> String {
    let cells: Vec<String> = columns(row.id.kind())
        .iter()
        .zip(&row.cells)
        .filter(|(_, value)| !matches!(value, Value::Series(_) | Value::Null))
        .map(|(column, value)| format!("{}={}", column.alias, clean(&value.to_string())))
        .collect();
    cells.join(" ")
}

fn row_json(row: &Row) -> Json {
    let cells = columns(row.id.kind())
        .into_iter()
        .zip(&row.cells)
        .filter(|(column, _)| column.in_json)
        .map(|(column, value)| (column.key.to_owned(), value_json(value)));
    Json::Object(cells.collect::<Map<_, _>>())
}

fn value_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Count(n) | Value::Nanos(n) | Value::Time(n) | Value::Bytes(n) => json!(n),
        Value::Ratio(n) | Value::Rate(n) => json!(n),
        Value::Text(text) => json!(text.as_ref()),
        Value::List(items) => json!(items.iter().map(AsRef::as_ref).collect::<Vec<&str>>()),
        Value::Lines(lines) => json!(lines.iter().map(json::Seen::from).collect::<Vec<_>>()),
        Value::Series(points) => json!(points),
    }
}

fn with_findings(mut row: Json, findings: &[Finding]) -> Json {
    row["findings"] = Json::Array(findings.iter().map(finding_json).collect());
    row
}

fn finding_json(finding: &Finding) -> Json {
    let text = |text: &str| if text.is_empty() { Json::Null } else { json!(text) };
    json!({
        "detector": finding.detector.as_ref(),
        "level": finding.level.as_str(),
        "fingerprint": finding.fingerprint.as_ref(),
        "site": text(&finding.site),
        "line": text(&finding.line),
        "task": finding.task.map(|task| task.0),
        "process": text(&finding.process),
        "value": value_json(&finding.value),
        "limit": value_json(&finding.limit),
        "count": finding.count,
        "first_ns": finding.first_ns,
        "last_ns": finding.last_ns,
        "kind": finding.kind.map(PollKind::as_str),
        "stack": finding.stack.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
        "headline": finding.headline.as_ref(),
        "why": finding.why.as_ref(),
        "fix": finding.fix.as_ref(),
    })
}
