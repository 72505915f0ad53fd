//! Single polls as a viewer sees them: one by one, at their place in time.

use pollscope_model::id::{BootId, TaskId};
use pollscope_model::query::ask::FlightOf;
use pollscope_model::query::column::Kind;
use pollscope_model::query::flight::{DIGITS, Flight, LaneCell, Picture};
use pollscope_model::query::page::RowId;
use pollscope_model::time::{MILLISECOND, SECOND};

use crate::collector;
use crate::service::Service;
use crate::viewer::Viewer;

pub(crate) const LANES: FlightOf = FlightOf::Workers { first: 0, most: 16 };
/// Of a picture of two seconds: 10 ms each.
const COLUMNS: u16 = 200;

fn boot(viewer: &mut Viewer) -> BootId {
    viewer.wait_for("process", Kind::Processes, |rows| match rows.page.rows.first()?.id {
        RowId::Process(boot) => Some(boot),
        _ => None,
    })
}

/// The longest run of one and the same poll: how many columns, and its site.
pub(crate) fn longest_run(flight: &Flight) -> Option<(usize, String)> {
    let Picture::Lanes(lanes) = &flight.picture else { return None };
    let mut longest = (0, DIGITS);
    for lane in &lanes.lanes {
        let mut run = 0;
        for cell in &lane.cells {
            let LaneCell::Poll { site, same } = *cell else {
                run = 0;
                continue;
            };
            run = if same { run + 1 } else { 1 };
            longest = longest.max((run, usize::from(site)));
        }
    }
    Some((longest.0, lanes.sites.get(longest.1)?.to_string()))
}

/// Waits until the blocking handler's poll, 150 ms of 10 ms columns, is one run of its site's digit, and
/// gives its task.
#[track_caller]
fn sees_the_blocking_poll(viewer: &mut Viewer, boot: BootId) -> TaskId {
    viewer.wait_for_flight("run of one poll", boot, LANES, 2 * SECOND, COLUMNS, |flight| {
        let (columns, site) = longest_run(flight)?;
        let longest = flight.longest.as_ref()?;
        let whole = columns >= 14 && site.contains("bin/blocking.rs") && !longest.open;
        (whole && longest.wall_ns >= 150 * MILLISECOND).then_some(longest.task)
    })
}

#[test]
fn a_blocking_poll_is_one_run_of_its_sites_digit() {
    let service = Service::start(env!("CARGO_BIN_EXE_blocking"));
    let mut viewer = Viewer::of_process(&service.target());
    let boot = boot(&mut viewer);
    let task = sees_the_blocking_poll(&mut viewer, boot);
    // The same poll on its task's own timeline. Its wake may be from before the recording began.
    viewer.wait_for_flight("timeline", boot, FlightOf::Task(task), 5 * SECOND, 500, |flight| {
        let Picture::Timeline(timeline) = &flight.picture else { return None };
        let running = timeline.cells.iter().filter(|cell| cell.running >= 900).count();
        (running >= 12 && timeline.wakes_seen).then_some(())
    });
}

#[test]
fn through_a_collector_it_looks_the_same() {
    let address = collector::free_address();
    let _collector = collector::start(&address);
    let _service = Service::start_with(env!("CARGO_BIN_EXE_blocking"), |command, _| {
        command.env("POLLSCOPE_ENDPOINT", format!("http://{address}"));
    });
    let mut viewer = Viewer::of_collector(&address);
    let boot = boot(&mut viewer);
    sees_the_blocking_poll(&mut viewer, boot);
}

#[test]
fn a_service_that_does_not_want_it_says_so() {
    let service = Service::start_with(env!("CARGO_BIN_EXE_blocking"), |command, _| {
        command.env("POLLSCOPE_FLIGHT", "off");
    });
    let mut viewer = Viewer::of_process(&service.target());
    let boot = boot(&mut viewer);
    viewer.wait_for_flight("reason", boot, LANES, SECOND, 10, |flight| {
        (!flight.begun && flight.why_not.contains("POLLSCOPE_FLIGHT=demand")).then_some(())
    });
}
