//! Three services and one collector, and what happens when one of them is killed.

use pollscope_model::query::column::Kind;

use crate::collector::{free_address, start};
use crate::http;
use crate::service::Service;
use crate::site::is_audit;
use crate::viewer::{Rows, Viewer};

const NAMES: [&str; 3] = ["cart-a", "cart-b", "cart-c"];

/// A web service that pushes to a collector; each request spawns exactly one task.
struct Shop {
    service: Service,
    authority: String,
}

impl Shop {
    fn open(name: &str, collector: &str) -> Self {
        let service = Service::start_with(env!("CARGO_BIN_EXE_axum_service"), |command, _| {
            command.env("POLLSCOPE_NAME", name).env("POLLSCOPE_ENDPOINT", format!("http://{collector}"));
        });
        let address = service.wait_for_line("serving on http://");
        let authority = address.split('/').next().expect("an address").to_owned();
        Self { service, authority }
    }

    /// That many requests, one after another, each answered.
    fn buy(&self, carts: u32) {
        for cart in 0..carts {
            assert_eq!(http::get(&self.authority, &format!("/cart/{cart}")), format!("cart {cart}\n"));
        }
    }
}

fn buy_in_each(shops: &[Shop], carts: u32) {
    for shop in shops {
        shop.buy(carts);
    }
}

fn live(processes: &Rows) -> Vec<String> {
    let live = processes.iter().filter(|process| process.text("state") == "live");
    let mut names: Vec<_> = live.map(|process| name(process.text("name"))).collect();
    names.sort();
    names
}

/// A process's name without the number that tells it from others of that name.
fn name(label: &str) -> String {
    label.split('#').next().unwrap_or_default().to_owned()
}

/// Waits until the site of the audits, over all processes, has exactly that many.
#[track_caller]
fn wait_for_audits(viewer: &mut Viewer, audits: u64) {
    viewer.wait_for(&format!("{audits} audits"), Kind::Sites, |sites| {
        let audit = sites.iter().find(|site| is_audit(site.text("site")))?;
        let (spawned, completed) = (audit.number("spawned")?, audit.number("completed")?);
        assert!(spawned <= audits && completed <= audits, "more than there were, {audits}:\n{sites}");
        (spawned == audits && completed == audits).then_some(())
    });
}

#[test]
fn a_killed_service_is_gone_and_its_last_state_stays() {
    let address = free_address();
    let _collector = start(&address);
    let mut shops = NAMES.map(|name| Shop::open(name, &address));
    let mut viewer = Viewer::of_collector(&address);
    viewer.wait_for("three live services", Kind::Processes, |rows| (live(rows) == NAMES).then_some(()));
    buy_in_each(&shops, 10);
    wait_for_audits(&mut viewer, 30);

    shops[1].service.kill();
    viewer.wait_for("a service that is gone", Kind::Processes, |processes| {
        let killed = processes.iter().find(|process| name(process.text("name")) == NAMES[1])?;
        (killed.text("state") == "gone" && live(processes) == [NAMES[0], NAMES[2]]).then_some(())
    });
    // What it had said before is still there, and the others go on.
    wait_for_audits(&mut viewer, 30);
    shops[0].buy(5);
    wait_for_audits(&mut viewer, 35);
}

#[test]
fn a_killed_collector_comes_back_to_exact_totals() {
    let address = free_address();
    let mut collector = start(&address);
    let shops = NAMES.map(|name| Shop::open(name, &address));
    let mut viewer = Viewer::of_collector(&address);
    viewer.wait_for("three live services", Kind::Processes, |rows| (live(rows) == NAMES).then_some(()));
    buy_in_each(&shops, 10);
    wait_for_audits(&mut viewer, 30);

    collector.kill();
    // No collector runs, and every request is answered as before.
    buy_in_each(&shops, 7);
    let _restarted = start(&address);
    buy_in_each(&shops, 3);

    viewer.wait_for("three services back", Kind::Processes, |rows| (live(rows) == NAMES).then_some(()));
    wait_for_audits(&mut viewer, 60);
    for name in NAMES {
        // Its history has a hole now, and a viewer is told so.
        viewer.wait_for_note(&format!("{name}#1 folded "));
    }
}
