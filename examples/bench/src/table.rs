//! The rounds' medians, their ratios to plain tokio, and the Markdown table.

use serde::Serialize;

use crate::workload::Measurement;

/// One line of the result.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The workload's name.
    pub workload: String,
    /// The configuration's name.
    pub config: String,
    /// Median CPU time of the process per operation.
    pub cpu_ns: f64,
    /// The lowest and the highest of the rounds.
    pub cpu_ns_range: (f64, f64),
    /// Median wall time per operation.
    pub wall_ns: f64,
    /// Median of what each run's CPU time was over that of the plain tokio beside it.
    pub added_ns: f64,
    /// The lower quartile of the rounds' CPU time over that of plain tokio's: what is added while neighbours leave
    /// the machine alone, if they do in a quarter of the rounds.
    pub added_quiet_ns: f64,
    /// Median of the wall time of the plain tokio beside each run over that run's: throughput, 1.0 is no loss.
    pub ratio: f64,
    /// Median memory that the workload added.
    pub rss_bytes: u64,
    /// Largest loss that the tool admitted in a round.
    pub lost: Option<u64>,
}

/// Condenses the runs of one configuration against those of its base, each beside one of them.
pub fn condense(workload: &str, config: &str, rounds: &[Measurement], base: &[Measurement]) -> Row {
    let pairs = || rounds.iter().zip(base);
    let cpu: Vec<f64> = rounds.iter().map(|round| round.cpu_ns).collect();
    Row {
        workload: workload.to_owned(),
        config: config.to_owned(),
        cpu_ns: median(cpu.clone()),
        cpu_ns_range: cpu.iter().fold((f64::MAX, 0.0), |(low, high), ns| (low.min(*ns), high.max(*ns))),
        wall_ns: median(rounds.iter().map(|round| round.wall_ns).collect()),
        added_ns: median(pairs().map(|(round, plain)| round.cpu_ns - plain.cpu_ns).collect()),
        added_quiet_ns: lower_quartile(cpu) - lower_quartile(base.iter().map(|plain| plain.cpu_ns).collect()),
        ratio: median(pairs().map(|(round, plain)| plain.wall_ns / round.wall_ns).collect()),
        rss_bytes: median(rounds.iter().map(|round| round.rss_bytes as f64).collect()) as u64,
        lost: rounds.iter().filter_map(|round| round.lost).max(),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

fn lower_quartile(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 4).copied().unwrap_or(f64::NAN)
}

/// One Markdown table.
pub fn markdown(rows: &[Row], ops: impl Fn(&str) -> u64) -> String {
    let mut text = String::from(
        "| workload | config | CPU ns/op (min–max) | added ns/op | added, lower quartiles | throughput | memory/op | lost \
         |\n|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let memory = if row.workload == "live" {
            format!("{} B", row.rss_bytes / ops(&row.workload).max(1))
        } else {
            "–".to_owned()
        };
        let lost = row.lost.map_or("–".to_owned(), |lost| lost.to_string());
        text += &format!(
            "| {} | {} | {:.0} ({:.0}–{:.0}) | {:+.0} | {:+.0} | {:.2} | {memory} | {lost} |\n",
            row.workload,
            row.config,
            row.cpu_ns,
            row.cpu_ns_range.0,
            row.cpu_ns_range.1,
            row.added_ns,
            row.added_quiet_ns,
            row.ratio,
        );
    }
    text
}

/// Far beyond any budget, and far within what a bystander on the machine can cause.
const MOST_TIMES_PLAIN: f64 = 6.0;
const LEAST_THROUGHPUT: f64 = 0.4;

/// An accident, in words: a loss where there must be none, or a cost of another order.
pub fn check(rows: &[Row]) -> Result<(), String> {
    let cpu_of = |workload: &str, config: &str| {
        rows.iter().find(|row| row.workload == workload && row.config == config).map(|row| row.cpu_ns)
    };
    let ours = rows.iter().filter(|row| row.config.starts_with("pollscope"));
    for row in ours.filter(|row| {
        matches!(
            row.workload.as_str(),
            "poll" | "poll-two" | "pingpong" | "mutex" | "http" | "tcp" | "request"
        )
    }) {
        let what = format!("{} on {}", row.config, row.workload);
        if row.lost != Some(0) {
            return Err(format!("{what} lost {:?}, and must lose nothing", row.lost));
        }
        if cpu_of(&row.workload, "plain").is_some_and(|plain| row.cpu_ns > plain * MOST_TIMES_PLAIN) {
            return Err(format!("{what} takes more than {MOST_TIMES_PLAIN} times the CPU of plain tokio"));
        }
        if matches!(row.workload.as_str(), "http" | "tcp") && row.ratio < LEAST_THROUGHPUT {
            return Err(format!("{what} has {:.2} of plain tokio's throughput", row.ratio));
        }
    }
    Ok(())
}
