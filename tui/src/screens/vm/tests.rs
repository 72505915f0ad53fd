//! Screens as text, at the sizes that people have.

use std::sync::Arc;

use insta::assert_snapshot;
use pollscope_model::measured::Mode;

use crate::screens::glyph::Glyphs;
use crate::screens::rig::{Amount, NOTHING, Rig, SOME};
use crate::screens::state::Tab;
use crate::sources::Status;

const SIZES: [(u16, u16); 4] = [(100, 30), (80, 24), (60, 15), (200, 50)];

fn at_all_sizes(name: &str, rig: &mut Rig) {
    for (columns, rows) in SIZES {
        rig.draw(columns, rows);
        rig.settle();
        assert_snapshot!(format!("{name}_{columns}x{rows}"), rig.draw(columns, rows));
    }
}

#[test]
fn every_tab() {
    for tab in Tab::ALL {
        at_all_sizes(&tab.title().to_lowercase(), &mut Rig::connected(tab, SOME));
    }
}

#[test]
fn every_detail() {
    for (name, tab, keys) in
        [("task", Tab::Tasks, "\n"), ("site", Tab::Sites, "d"), ("finding", Tab::Findings, "\n")]
    {
        let mut rig = Rig::connected(tab, SOME);
        rig.press(keys);
        at_all_sizes(name, &mut rig);
    }
}

/// The lines from the one with that text on, as many as a picture has.
fn picture(screen: &str, title: &str) -> String {
    screen.lines().skip_while(|line| !line.contains(title)).take(9).collect::<Vec<_>>().join("\n")
}

#[test]
fn single_polls_in_every_glyph_set() {
    let wrap = Amount { mode: Mode::Wrap, findings: 5, ..SOME };
    for (name, tab, keys, title) in
        [("lanes", Tab::Workers, "", "Poll lanes"), ("timeline", Tab::Tasks, "\n", "Timeline")]
    {
        for glyphs in Glyphs::ALL {
            let mut rig = Rig::connected(tab, wrap);
            rig.state.look.glyphs = glyphs;
            rig.press(keys);
            let screen = rig.draw(100, 40);
            assert!(glyphs != Glyphs::Ascii || screen.is_ascii(), "{screen}");
            assert_snapshot!(format!("{name}_{}", glyphs.as_str()), picture(&screen, title));
        }
    }
}

#[test]
fn bodies_without_single_polls() {
    for (name, amount) in [
        ("not_measured", Amount { mode: Mode::Sample, ..SOME }),
        ("waiting", Amount { tasks: 0, ..SOME }),
        ("hooks", SOME),
    ] {
        for (what, tab, keys, title) in
            [("lanes", Tab::Workers, "", "Poll lanes"), ("timeline", Tab::Tasks, "\n", "Timeline")]
        {
            // The task's row is there even where its polls are not known.
            let mut rig = Rig::connected(tab, SOME);
            rig.press(keys);
            rig.amount = amount;
            rig.refresh();
            if let Some(detail) = rig.state.stack.last() {
                assert!(matches!(detail, crate::screens::state::level::Level::Detail(_)));
            }
            assert_snapshot!(format!("{what}_{name}"), picture(&rig.draw(100, 40), title));
        }
    }
    let mut rig = Rig::connected(Tab::Workers, SOME);
    rig.status(Status::Lost { reason: Arc::from("the process ended"), attempts: 1 });
    let screen = rig.draw(100, 40);
    assert!(screen.contains("LOST: the process ended") && screen.contains("Poll lanes"), "{screen}");
}

#[test]
fn a_filtered_list_tells_all_totals() {
    let mut rig = Rig::connected(Tab::Tasks, SOME);
    rig.press("/busy>1ms\n");
    assert_snapshot!("tasks_filtered", rig.draw(100, 30));
}

#[test]
fn bodies_without_rows() {
    let mut rig = Rig::new(Tab::Tasks);
    assert_snapshot!("body_connecting", rig.draw(80, 10));
    rig.status(Status::Connected { label: Arc::from("checkout (pid 412)") });
    assert_snapshot!("body_waiting", rig.draw(80, 10));
    rig.amount = NOTHING;
    rig.settle();
    assert_snapshot!("body_not_measured", rig.draw(80, 14));
    let mut rig = Rig::connected(Tab::Tasks, Amount { tasks: 0, ..SOME });
    assert_snapshot!("body_empty", rig.draw(80, 12));
    rig = Rig::connected(Tab::Findings, Amount { findings: 0, mode: Mode::Wrap, ..SOME });
    assert_snapshot!("body_no_findings", rig.draw(80, 12));
}

#[test]
fn evidence_that_is_set_aside_is_told_beside_findings_and_without_any() {
    let told = |findings| {
        let mut rig = Rig::connected(Tab::Findings, Amount { findings, ..SOME });
        let overview = rig.state.answers.overview.as_mut().expect("an overview");
        let one = |site| (Arc::from("blocking-poll"), Arc::from(format!("9 of 30 polls at {site}")));
        overview.set_aside = ["a.rs:1", "b.rs:2", "c.rs:3"].map(one).to_vec();
        rig.draw(100, 30)
    };
    let alone = told(0);
    for part in ["No finding, but evidence", "Undecided, over the limit (3)", "a.rs:1", "c.rs:3", "task-leak"]
    {
        assert!(alone.contains(part), "{part}: {alone}");
    }
    let beside = told(2);
    for part in ["Undecided, over the limit (3)", "a.rs:1", "b.rs:2"] {
        assert!(beside.contains(part), "{part}: {beside}");
    }
}

#[test]
fn a_state_that_is_not_all_in_says_how_much_of_it_is() {
    let mut rig = Rig::new(Tab::Tasks);
    rig.amount = Amount { loading: Some(37), ..SOME };
    rig.settle();
    assert_snapshot!("loading", rig.draw(100, 14));
    rig.amount = Amount { loading: Some(37), findings: 0, ..SOME };
    rig.press("5");
    rig.settle();
    let screen = rig.draw(100, 14);
    assert!(screen.contains("37% of the state is in") && !screen.contains("no rule has fired"), "{screen}");
}

#[test]
fn a_target_that_went_away_leaves_its_last_state() {
    let mut rig = Rig::connected(Tab::Tasks, SOME);
    rig.status(Status::Lost { reason: Arc::from("connection refused by 10.0.0.5:7700"), attempts: 3 });
    assert_snapshot!("lost", rig.draw(100, 14));
    rig.status(Status::Refused {
        reason: Arc::from("it speaks protocol 3.0, this is 1.0: use pollscope 0.4"),
    });
    assert_snapshot!("refused", rig.draw(100, 14));
    let mut rig = Rig::new(Tab::Tasks);
    rig.status(Status::Refused {
        reason: Arc::from("it speaks protocol 3.0, this is 1.0: use pollscope 0.4"),
    });
    assert_snapshot!("refused_at_once", rig.draw(100, 10));
}

#[test]
fn a_target_that_has_ended_is_not_said_to_be_tried_again() {
    let mut rig = Rig::connected(Tab::Tasks, SOME);
    rig.status(Status::Ended { reason: Arc::from("process 412 has ended"), orderly: false });
    let screen = rig.draw(100, 14);
    let banner = "ENDED: process 412 has ended; below is the last known state.";
    assert!(screen.contains(banner) && !screen.contains("trying"), "{screen}");
}

#[test]
fn what_lies_over_the_screen() {
    for (name, keys) in [
        ("menu_keys", "?"),
        ("menu_sort", "s"),
        ("menu_columns", "c"),
        ("text_explain", "e"),
        ("prompt", ":sort busy"),
    ] {
        let mut rig = Rig::connected(Tab::Tasks, SOME);
        rig.press(keys);
        assert_snapshot!(name, rig.draw(100, 30));
    }
    let mut rig = Rig::connected(Tab::Tasks, SOME);
    rig.press("/busy>");
    assert_snapshot!("prompt_bad_filter", rig.draw(100, 12));
}

#[test]
fn a_held_view_says_so() {
    let mut rig = Rig::connected(Tab::Tasks, SOME);
    rig.press(" ");
    rig.pass(12);
    let screen = rig.draw(100, 30);
    assert!(screen.lines().next().is_some_and(|title| title.contains("FROZEN 12s")), "{screen}");
}

#[test]
fn the_ribbon_shows_where_time_stands() {
    use crate::screens::event::Event;
    use crate::sources::SourceEvent;
    use crate::sources::replay::{Playback, Run};
    use pollscope_model::time::SECOND;
    let mut rig = Rig::connected(Tab::Tasks, SOME);
    let start = 1_900_000_000 * SECOND;
    let playback = Playback {
        run: Run::Paused,
        speed: 3,
        at_unix_ns: start + 30 * SECOND,
        from_unix_ns: start,
        to_unix_ns: start + 120 * SECOND,
        findings: [start + 10 * SECOND, start + 100 * SECOND].into(),
        follows: true,
        kept: true,
        note: "kept: 15m, 64 MiB".into(),
    };
    rig.event(Event::Source(SourceEvent::Playback(Box::new(playback.clone()))));
    assert_snapshot!("paused", rig.draw(100, 10));
    // Where `[` and `]` move in a picture of single polls, the ribbon does not claim them.
    rig.press("4");
    let workers = rig.draw(100, 10);
    assert!(workers.contains("( ) 10s  { } finding") && !workers.contains("[ ] step  { }"), "{workers}");
    rig.press("2");
    rig.state.look.glyphs = Glyphs::Ascii;
    let playing = Playback { run: Run::Playing, at_unix_ns: u64::MAX, note: "".into(), ..playback };
    rig.event(Event::Source(SourceEvent::Playback(Box::new(playing))));
    let screen = rig.draw(60, 10);
    assert!(screen.is_ascii() && screen.contains("PLAYING"), "{screen}");
}

#[test]
fn the_other_glyph_sets() {
    let mut rig = Rig::connected(Tab::Fleet, SOME);
    rig.state.look.glyphs = Glyphs::Braille;
    assert_snapshot!("fleet_braille", rig.draw(100, 30));
    rig.state.look.glyphs = Glyphs::Ascii;
    let screen = rig.draw(100, 30);
    assert!(screen.is_ascii(), "{screen}");
    assert_snapshot!("fleet_ascii", screen);
    rig.press("2\n");
    assert!(rig.draw(100, 30).is_ascii());
}

#[test]
fn too_small_a_screen_says_so_and_none_at_all_is_survived() {
    let mut rig = Rig::connected(Tab::Tasks, SOME);
    assert_eq!(rig.draw(39, 10).trim(), "too small: 39x10, needs 40x10");
    rig.status(Status::Lost { reason: Arc::from("it was stopped by a signal"), attempts: 12 });
    let least = rig.draw(40, 10);
    assert!(least.contains("> !B"), "the list is what stays when there is no room: {least}");
    for (columns, rows) in [(0, 0), (1, 1), (0, 30), (100, 0), (40, 10)] {
        rig.draw(columns, rows);
    }
}
