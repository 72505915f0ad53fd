//! The benchmark's workloads under console-subscriber, in a build with tokio's `tracing` feature.

#[path = "../../src/workload.rs"]
mod workload;

use workload::{Plain, Workload};

fn main() -> std::process::ExitCode {
    if let Some(code) = workload::http::load_if_asked() {
        return code;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (Some(workload), Some(ops)) = (
        words.get(2).and_then(|name| Workload::from_name(name)),
        words.get(3).and_then(|ops| ops.parse().ok()),
    ) else {
        eprintln!("takes --child CONFIG WORKLOAD OPERATIONS");
        std::process::exit(2);
    };
    workload::prepare(workload);
    console_subscriber::ConsoleLayer::builder().server_addr(([127, 0, 0, 1], 0)).init();
    let runtime = workload::builder(workload).build().expect("a runtime");
    let measurement = workload::run(&runtime, &Plain, workload, ops);
    println!("{}", serde_json::to_string(&measurement).expect("plain numbers"));
    std::process::exit(0);
}
