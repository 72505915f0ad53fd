//! The rivals that run in this program: tokio-metrics, dial9 and tower-http's trace. tokio-console has a program of its own.

use std::future::Future;

use crate::workload::{self, Measurement, Plain, Spawner, Workload};

/// tokio-metrics, one monitor for all tasks.
#[derive(Clone)]
struct Monitored(tokio_metrics::TaskMonitor);

impl Spawner for Monitored {
    fn spawn<F>(&self, future: F) -> impl Future<Output = F::Output> + Send + 'static
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Plain.spawn(self.0.instrument(future))
    }
}

/// All tasks are instrumented by one monitor.
pub(super) fn tokio_metrics(workload: Workload, ops: u64) -> Measurement {
    let runtime = workload::builder(workload).build().expect("a runtime");
    workload::run(&runtime, &Monitored(tokio_metrics::TaskMonitor::new()), workload, ops)
}

/// Task tracking is on; the buffer lies in a temporary folder.
pub(super) fn dial9(workload: Workload, ops: u64) -> Measurement {
    use dial9::{Dial9HandleTokioExt, TokioAttachOptions};
    let folder = tempfile::tempdir().expect("a temporary folder");
    let buffer = dial9::DiskBuffer::builder()
        .base_path(folder.path().join("trace"))
        .max_total_size(1 << 30)
        .build()
        .expect("a disk buffer");
    let recorder = dial9::recorder(buffer).build();
    let runtime = recorder
        .handle()
        .attach_tokio_runtime(
            workload::builder(workload),
            TokioAttachOptions::builder().task_tracking_enabled(true).build(),
        )
        .expect("a runtime");
    workload::run(&runtime, &Plain, workload, ops)
}

/// tower-http's layer, as its documentation has it.
#[derive(Clone)]
struct Traced;

impl Spawner for Traced {
    fn spawn<F>(&self, future: F) -> impl Future<Output = F::Output> + Send + 'static
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Plain.spawn(future)
    }

    fn layer(&self, router: axum::Router) -> axum::Router {
        router.layer(tower_http::trace::TraceLayer::new_for_http())
    }
}

/// A span and two events for each request, written as text into nothing.
pub(super) fn tower_http_trace(workload: Workload, ops: u64) -> Measurement {
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
        .with_writer(std::io::sink)
        .init();
    let runtime = workload::builder(workload).build().expect("a runtime");
    workload::run(&runtime, &Traced, workload, ops)
}
