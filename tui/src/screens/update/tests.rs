//! What a user does and what becomes of it, and a user who does anything at all.

use std::sync::Arc;

use pollscope_model::query::ask::{Answer, Ask, FlightOf, FlightQuery};
use pollscope_model::query::page::{RowId, Scope};
use pollscope_model::time::SECOND;
use proptest::prelude::*;

use super::Effect;
use crate::screens::action::Action;
use crate::screens::event::{Event, Input, Mouse, Signal};
use crate::screens::keymap::key::Key;
use crate::screens::keymap::{self, Context};
use crate::screens::rig::{Amount, BOOT, NOTHING, Rig, SOME};
use crate::screens::state::level::{Level, Subject};
use crate::screens::state::overlay::Overlay;
use crate::screens::state::{State, Tab};
use crate::sources::{QuestionId, SourceEvent, Status};

fn subject(state: &State) -> Option<&Subject> {
    match state.stack.last() {
        Some(Level::Detail(detail)) => Some(&detail.subject),
        _ => None,
    }
}

fn quits(rig: &Rig) -> bool {
    rig.effects.contains(&Effect::Quit)
}

#[test]
fn the_way_in_and_out_goes_level_by_level_and_escape_never_quits() {
    let mut rig = Rig::connected(Tab::Fleet, SOME);
    rig.press("\n");
    assert_eq!((rig.state.tab, rig.state.scope), (Tab::Tasks, Scope::Process(BOOT)));
    rig.press("\n");
    assert_eq!(rig.state.context(), Context::Task);
    rig.press("g");
    assert_eq!(subject(&rig.state), Some(&Subject::Site(rig.state.scope, Arc::from("src/cart.rs:88:9"))));
    rig.press("\n");
    assert_eq!(rig.state.list().map(|list| list.filter.as_str()), Some("site=src/cart.rs:88:9"));
    for context in [Context::Site, Context::Task, Context::Tasks, Context::Fleet, Context::Fleet] {
        rig.key(Key::ESC);
        rig.settle();
        assert_eq!(rig.state.context(), context);
    }
    assert_eq!(rig.state.scope, Scope::All);
    assert!(!quits(&rig));
    rig.press("q");
    assert!(quits(&rig));
}

#[test]
fn q_leaves_a_level_first_and_capital_q_leaves_at_once() {
    let mut rig = Rig::connected(Tab::Findings, SOME);
    rig.press("\nq");
    assert!(!quits(&rig) && rig.state.stack.is_empty());
    rig.press("\nQ");
    assert!(quits(&rig));
    for event in
        [Event::Signal(Signal::Quit), Event::Input(Input::Closed), Event::Input(Input::Key(Key::ctrl('c')))]
    {
        let mut rig = Rig::connected(Tab::Tasks, SOME);
        rig.press("/");
        rig.event(event);
        assert!(quits(&rig));
    }
}

#[test]
fn what_is_selected_leads_to_its_kin() {
    let mut rig = Rig::connected(Tab::Workers, SOME);
    rig.press("j\n");
    assert_eq!(subject(&rig.state), Some(&Subject::Task(BOOT, pollscope_model::id::TaskId(101))));
    rig.press("q4G\n");
    assert!(rig.state.stack.is_empty() && rig.state.notice.is_some());
    let mut rig = Rig::connected(Tab::Sites, SOME);
    rig.press("jd");
    assert!(matches!(subject(&rig.state), Some(Subject::Site(_, site)) if &**site == "src/fanout.rs:31:5"));
    let mut rig = Rig::connected(Tab::Findings, SOME);
    rig.press("e");
    assert!(matches!(&rig.state.overlay, Some(Overlay::Text(text)) if text.title.contains("blocking-poll")));
}

#[test]
fn the_filter_is_live_restored_by_escape_and_a_bad_one_is_not_asked_for() {
    let mut rig = Rig::connected(Tab::Tasks, SOME);
    let asked = |rig: &Rig| match &rig.state.answers.standing[1].ask {
        Ask::Page(query) => query.filter.clone(),
        _ => String::new(),
    };
    rig.press("/cart");
    assert_eq!(asked(&rig), "cart");
    rig.press(">1");
    assert_eq!(asked(&rig), "cart", "a filter with an unknown field was asked for");
    assert!(rig.state.list().is_some_and(|list| list.error.is_some()));
    rig.key(Key::ENTER);
    assert_eq!(rig.state.context(), Context::Prompt, "a bad filter was taken");
    rig.key(Key::ESC);
    assert_eq!(asked(&rig), "");
    assert!(rig.state.list().is_some_and(|list| list.error.is_none()));
    rig.press("/cart\n");
    assert_eq!((asked(&rig).as_str(), rig.state.context()), ("cart", Context::Tasks));
    rig.key(Key::ESC);
    assert_eq!(asked(&rig), "", "escape takes the filter away");
}

#[test]
fn commands_sort_choose_columns_and_complain_in_place() {
    let mut rig = Rig::connected(Tab::Tasks, SOME);
    rig.press(":sort polls desc\n");
    let sort = &rig.state.list().expect("a list").sort;
    assert_eq!((sort[0].column.as_str(), sort[0].descending), ("polls", true));
    rig.press(":columns id name busy_ns\n");
    let screen = rig.draw(100, 30);
    assert!(screen.contains("BUSY") && !screen.contains("SPAWNED AT"), "{screen}");
    rig.press(":sort nonsense\n");
    assert!(rig.draw(100, 30).contains("no column `nonsense`"));
    rig.key(Key::ESC);
    rig.press(":so");
    rig.key(Key::TAB);
    assert!(matches!(&rig.state.overlay, Some(Overlay::Prompt(prompt)) if prompt.input.value() == "sort"));
    rig.key(Key::ESC);
    rig.press(":quit\n");
    assert!(quits(&rig));
}

#[test]
fn menus_run_what_they_show() {
    for binding in keymap::bindings(Context::Tasks) {
        let mut rig = Rig::connected(Tab::Tasks, SOME);
        rig.press("?");
        let Some(Overlay::Menu(menu)) = &rig.state.overlay else { panic!("`?` opens no menu") };
        let place =
            menu.items.iter().position(|item| item.note == binding.help).expect("every key is in the menu");
        rig.press(&"j".repeat(place));
        rig.press("\n");
        assert!(
            !matches!(&rig.state.overlay, Some(Overlay::Menu(menu)) if menu.title == "Keys here")
                || binding.action == Action::Help
        );
    }
    let mut rig = Rig::connected(Tab::Tasks, SOME);
    rig.press("sj\n");
    assert!(rig.state.list().is_some_and(|list| !list.sort.is_empty()));
    rig.press("c");
    let before = rig.state.columns.clone();
    rig.press(" ");
    assert_ne!(rig.state.columns, before);
    assert_eq!(rig.state.context(), Context::Menu, "the menu of columns stays open");
}

#[test]
fn a_held_view_keeps_its_rows_and_shows_the_newest_when_let_go() {
    let mut rig = Rig::connected(Tab::Tasks, SOME);
    let total = |rig: &Rig| rig.state.list().and_then(|list| list.page.as_ref()).map(|page| page.total);
    rig.press(" ");
    rig.amount.tasks = 5;
    rig.refresh();
    assert_eq!(total(&rig), Some(1_204));
    rig.press("G");
    assert!(rig.state.list().is_some_and(|list| list.selected.is_some()), "a held view can be scrolled");
    rig.refresh();
    rig.press(" ");
    assert_eq!(total(&rig), Some(5));
}

#[test]
fn the_mouse_chooses_opens_sorts_and_changes_tabs() {
    let mut rig = Rig::connected(Tab::Tasks, SOME);
    rig.draw(100, 30);
    let rows = rig.state.hits.rows;
    rig.click(5, rows.y + 3);
    assert_eq!(rig.state.list().map(|list| list.index), Some(3));
    rig.click(5, rows.y + 3);
    assert_eq!(rig.state.context(), Context::Task);
    rig.draw(100, 30);
    let (site, _) = rig.state.hits.tabs[2];
    rig.click(site.x + 2, site.y);
    assert_eq!(rig.state.tab, Tab::Sites);
    rig.draw(100, 30);
    let (head, key) = rig.state.hits.heads[2];
    rig.click(head.x, head.y);
    assert_eq!(
        rig.state.list().and_then(|list| list.sort.first()).map(|sort| sort.column.as_str()),
        Some(key)
    );
    rig.event(Event::Input(Input::Mouse(Mouse::WheelDown, 5, rows.y)));
    assert_eq!(rig.state.list().map(|list| list.index), Some(3));
}

#[test]
fn copying_makes_text_and_json_of_the_row() {
    let mut rig = Rig::connected(Tab::Tasks, SOME);
    rig.press("yY");
    let copied: Vec<&str> = rig
        .effects
        .iter()
        .filter_map(|effect| if let Effect::Copy(text) = effect { Some(text.as_str()) } else { None })
        .collect();
    assert!(copied[0].contains("busy=412ms"), "{copied:?}");
    let json: serde_json::Value = serde_json::from_str(copied[1]).expect("JSON");
    assert_eq!(json["busy_ns"], 412_000_000);
    assert_eq!(json["wakes"], serde_json::Value::Null);
}

#[test]
fn answers_to_questions_that_no_longer_stand_change_nothing() {
    let mut rig = Rig::connected(Tab::Tasks, SOME);
    let before = rig.draw(100, 30);
    let no = Box::new(Answer::No(Arc::from("late")));
    rig.event(Event::Source(SourceEvent::Answer(QuestionId(999), no)));
    assert_eq!(rig.draw(100, 30), before);
    // An answer of another kind than the question is the source's mistake: nothing to show.
    for (id, _) in rig.state.answers.questions() {
        let wrong = Box::new(Answer::Finding(Box::new(match_finding(&mut rig))));
        rig.event(Event::Source(SourceEvent::Answer(id, wrong)));
    }
    rig.draw(100, 30);
}

fn match_finding(rig: &mut Rig) -> pollscope_model::finding::Finding {
    let mut other = Rig::connected(Tab::Findings, rig.amount);
    other.press("\n");
    match other.state.stack.last() {
        Some(Level::Detail(detail)) => match detail.answer.as_deref() {
            Some(Answer::Finding(finding)) => (**finding).clone(),
            _ => panic!("no finding"),
        },
        _ => panic!("no detail"),
    }
}

#[test]
fn the_questions_follow_what_is_on_screen() {
    let rig = Rig::connected(Tab::Tasks, SOME);
    let asks: Vec<Ask> = rig.state.answers.questions().into_iter().map(|(_, ask)| ask).collect();
    assert!(matches!(asks[0], Ask::Overview(Scope::All)));
    assert!(matches!(&asks[1], Ask::Page(query) if query.offset == 0 && query.limit <= 256));
    assert!(matches!(asks[2], Ask::Task(..)));
    assert_eq!(asks.len(), 3);
}

/// Everything that a person or the world can do.
#[derive(Clone, Debug)]
enum Step {
    Key(Key),
    Click(u16, u16),
    Wheel,
    Paste(String),
    Draw(u16, u16),
    Settle,
    Refresh,
    World(u64),
    Lost,
    Pass,
}

fn any_key() -> impl Strategy<Value = Key> {
    let bound: Vec<Key> = Context::ALL
        .into_iter()
        .flat_map(keymap::bindings)
        .filter(|binding| !matches!(binding.action, Action::QuitNow))
        .flat_map(|binding| binding.keys)
        .copied()
        .chain([Key::BACKSPACE, Key::DELETE])
        .collect();
    prop_oneof![4 => proptest::sample::select(bound), 1 => any::<char>().prop_map(Key::char)]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => any_key().prop_map(Step::Key),
        1 => (0u16..220, 0u16..60).prop_map(|(x, y)| Step::Click(x, y)),
        1 => Just(Step::Wheel),
        1 => any::<String>().prop_map(Step::Paste),
        2 => (0u16..220, 0u16..60).prop_map(|(x, y)| Step::Draw(x, y)),
        2 => (38u16..82, 8u16..26).prop_map(|(x, y)| Step::Draw(x, y)),
        4 => Just(Step::Settle),
        2 => Just(Step::Refresh),
        2 => prop_oneof![Just(0), Just(1), 0u64..200_000].prop_map(Step::World),
        1 => Just(Step::Lost),
        1 => Just(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn no_key_data_or_size_breaks_the_screens(
        tab in proptest::sample::select(Tab::ALL.to_vec()),
        nothing in any::<bool>(),
        steps in prop::collection::vec(any_step(), 0..60),
    ) {
        let mut rig = Rig::connected(tab, if nothing { NOTHING } else { SOME });
        for step in steps {
            match step {
                Step::Key(key) => rig.key(key),
                Step::Click(x, y) => rig.click(x, y),
                Step::Wheel => rig.event(Event::Input(Input::Mouse(Mouse::WheelUp, 3, 3))),
                Step::Paste(text) => rig.event(Event::Input(Input::Paste(text))),
                Step::Draw(columns, rows) => drop(rig.draw(columns, rows)),
                Step::Settle => rig.settle(),
                Step::Refresh => rig.refresh(),
                Step::World(n) => {
                    rig.amount = Amount { tasks: n, sites: n, findings: n % 40, workers: n % 70, ..rig.amount };
                }
                Step::Lost => rig.status(Status::Lost { reason: Arc::from("gone\x1b[2J"), attempts: 1 }),
                Step::Pass => rig.pass(3),
            }
            check(&rig.state)?;
        }
        rig.refresh();
        rig.settle();
        check(&rig.state)?;
        let screen = rig.draw(100, 30);
        prop_assert!(!screen.contains('\x1b'));
    }
}

/// What holds after every step.
fn check(state: &State) -> Result<(), TestCaseError> {
    let Some(list) = state.list() else { return Ok(()) };
    let matched = list.matched();
    prop_assert!(list.index < matched.max(1), "the cursor is at {} of {matched}", list.index);
    prop_assert!(list.top <= list.index, "the cursor is above the viewport");
    prop_assert!(list.index < list.top + u64::from(list.height.max(1)), "the cursor is below the viewport");
    if let Some(selected) = &list.selected {
        let row = list.row_at(list.index).map(|row| &row.id);
        prop_assert_eq!(row, Some(selected), "the selected row is not the one under the cursor");
    }
    if let Some(page) = &list.page {
        prop_assert!(page.rows.len() <= 512);
        prop_assert!(matched > 0 || list.selected.is_none());
    }
    prop_assert!(state.answers.standing.len() <= 4);
    let _: Option<&RowId> = list.selected.as_ref();
    Ok(())
}

fn flights(rig: &Rig) -> Vec<FlightQuery> {
    let asks = rig.state.answers.questions().into_iter().filter_map(|(_, ask)| match ask {
        Ask::Flight(query) => Some(query),
        _ => None,
    });
    asks.collect()
}

#[test]
fn a_dump_is_of_the_process_whose_single_polls_are_shown() {
    let mut rig = Rig::connected(Tab::Workers, SOME);
    rig.press("D");
    assert!(rig.effects.contains(&Effect::Dump(BOOT)), "{:?}", rig.effects);
}

#[test]
fn single_polls_are_asked_for_only_where_they_are_shown() {
    let mut rig = Rig::connected(Tab::Tasks, SOME);
    assert_eq!(flights(&rig), []);
    rig.press("4");
    let [lanes] = flights(&rig).try_into().expect("one question");
    assert!(matches!(lanes.of, FlightOf::Workers { .. }) && lanes.boot == BOOT, "{lanes:?}");
    rig.press("\n");
    let [timeline] = flights(&rig).try_into().expect("one question");
    assert!(matches!(timeline.of, FlightOf::Task(_)), "{timeline:?}");
    assert_eq!(timeline.span_ns, lanes.span_ns);
    rig.press("5");
    assert_eq!(flights(&rig), []);
    assert!(rig.state.flight.answer.is_none());
}

#[test]
fn the_stretch_of_single_polls_zooms_steps_back_and_follows_again() {
    let mut rig = Rig::connected(Tab::Workers, SOME);
    let of = |rig: &Rig| {
        let query = &flights(rig)[0];
        (query.span_ns, query.until_unix_ns)
    };
    assert_eq!(of(&rig), (2 * SECOND, None));
    rig.press("+");
    assert_eq!(of(&rig), (SECOND, None));
    rig.press("[");
    let (_, until) = of(&rig);
    rig.press("[[");
    let (_, earlier) = of(&rig);
    assert_eq!(until.zip(earlier).map(|(until, earlier)| until - earlier), Some(SECOND / 2));
    // Round the same middle.
    rig.press("-");
    assert_eq!(of(&rig), (2 * SECOND, earlier.map(|until| until + SECOND / 2)));
    rig.press("]]]]");
    assert_eq!(of(&rig), (2 * SECOND, None), "beyond the newest it follows");
    rig.press("[L");
    assert_eq!(of(&rig), (2 * SECOND, None));
    rig.press(&"[".repeat(2_000));
    let (span_ns, until) = of(&rig);
    let newest = rig.state.flight.picture().expect("a picture").meta.now_unix_ns;
    assert_eq!(until, Some(newest - 900 * SECOND + span_ns), "no further back than anything is kept");
    rig.press(&"+".repeat(50));
    rig.press(&"-".repeat(50));
}

#[test]
fn a_source_that_can_move_in_time_is_asked_to_and_another_is_held_here() {
    use crate::sources::replay::Control::{self, Finding, Newest, Oldest, Step, Toggle};
    use crate::sources::replay::{Playback, REAL_TIME, Run};
    let mut rig = Rig::connected(Tab::Tasks, SOME);
    rig.press("[");
    assert!(
        rig.state.notice.is_some() && !rig.effects.iter().any(|effect| matches!(effect, Effect::Control(_)))
    );
    rig.press(" ");
    assert!(rig.state.frozen.is_some(), "held here");
    let playback = Playback {
        run: Run::Live,
        speed: REAL_TIME,
        at_unix_ns: 5,
        from_unix_ns: 1,
        to_unix_ns: 5,
        findings: [].into(),
        follows: true,
        kept: true,
        note: Arc::from(""),
    };
    rig.event(Event::Source(SourceEvent::Playback(Box::new(playback))));
    rig.press(" [}:seek start\n L");
    let wishes: Vec<Control> = rig
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Control(wish) => Some(*wish),
            _ => None,
        })
        .collect();
    assert!(rig.state.frozen.is_none(), "let go once the source can hold");
    assert_eq!(wishes, [Step(-1), Finding(1), Oldest, Toggle, Newest]);
    rig.event(Event::Source(SourceEvent::Notice(Arc::from("nothing older is kept"))));
    assert!(rig.draw(100, 30).contains("nothing older is kept"));
}
