//! The state at any moment is the state that a live viewer had then.

use pollscope_model::monitor::Message;
use pollscope_model::query::ask::{Answer, Ask};
use pollscope_model::query::column::Kind;
use pollscope_model::query::page::{Query, Scope};
use pollscope_model::testkit::{START_UNIX_NS, Script};
use pollscope_model::time::MILLISECOND;
use pollscope_proto::recording::PackedMessage;

use super::super::Control;
use super::super::player::{Moved, Player};
use super::*;

/// Messages, and how often one was read: the cost of going somewhere.
#[derive(Default)]
struct List {
    messages: Vec<(u64, PackedMessage)>,
    forgotten: u64,
    read: usize,
}

impl Tape for List {
    fn read(&mut self, number: u64) -> Option<(u64, Received)> {
        assert!(number >= self.forgotten, "{number} was forgotten");
        self.read += 1;
        let (unix_ns, packed) = self.messages.get(usize::try_from(number).ok()?)?;
        Some((*unix_ns, packed.unpack().ok()?.into()))
    }

    fn forget_before(&mut self, number: u64) {
        self.forgotten = number;
    }
}

/// So many seconds of a process, with one slow poll halfway.
fn track(seconds: u64) -> (Track<List>, State) {
    let mut process = Script::new("checkout");
    let site = process.site("src/cart.rs:88:9");
    let mut tape = List::default();
    let mut push = |unix_ns, message: &Message| tape.messages.push((unix_ns, PackedMessage::new(message)));
    push(START_UNIX_NS, &Message::Hello(Box::new(process.hello())));
    for second in 0..seconds {
        let task = process.spawn(site);
        process.poll(task, 3, 2 * MILLISECOND);
        if second == seconds / 2 {
            process.slow_poll(task, 400 * MILLISECOND, MILLISECOND, 0);
        }
        let report = process.second();
        push(START_UNIX_NS + report.end_ns, &Message::Report(Box::new(report)));
    }
    let mut track = Track::new(tape);
    let mut state = State::default();
    while state.take_next(&mut track) {}
    (track, state)
}

/// Everything that a screen could show.
fn seen(state: &State, unix_ns: u64) -> Vec<Answer> {
    let asks = [
        Ask::Page(Query::all(Kind::Tasks, 1_000)),
        Ask::Page(Query::all(Kind::Sites, 1_000)),
        Ask::Page(Query::all(Kind::Findings, 1_000)),
        Ask::Overview(Scope::All),
    ];
    asks.iter().map(|ask| state.monitor.answer(ask, unix_ns)).collect()
}

#[test]
fn every_moment_looks_as_it_did_when_it_was_new() {
    let (mut track, _) = track(40);
    let mut state = State::default();
    let mut told = Vec::new();
    for number in 0.. {
        let Some((unix_ns, received)) = track.tape.read(number) else { break };
        let shown = received.completes_state();
        state.receive(received, unix_ns);
        if shown {
            told.push(seen(&state, unix_ns));
        }
    }
    assert_eq!(track.newest(), Some(told.len() as u64 - 1));
    // From far and near, forwards and backwards.
    let mut at = None;
    for moment in [39, 0, 1, 2, 20, 19, 18, 39, 21] {
        let state = track.state_at(moment, at.take());
        assert_eq!(seen(&state, track.time_of(moment)), told[moment as usize], "moment {moment}");
        at = Some(state);
    }
}

#[test]
fn copies_of_the_state_are_few_and_no_moment_is_far_from_one() {
    let (mut track, _) = track(1_000);
    assert!(track.checkpoints.len() <= MAX_CHECKPOINTS, "{}", track.checkpoints.len());
    for moment in [999, 500, 17, 3] {
        track.tape.read = 0;
        let _ = track.state_at(moment, None);
        assert!(
            track.tape.read <= 1_000 / (MAX_CHECKPOINTS / 2) + 1,
            "{} to come to {moment}",
            track.tape.read
        );
    }
    let nearer = track.state_at(200, None);
    track.tape.read = 0;
    let _ = track.state_at(201, Some(nearer));
    assert_eq!(track.tape.read, 1, "the state at hand is the nearest");
}

#[test]
fn what_is_forgotten_is_never_read_again() {
    let (mut track, newest) = track(100);
    let before = seen(&track.state_at(60, None), track.time_of(60));
    while track.oldest() < 40 && track.shorten() {}
    assert!(track.oldest() >= 40 && track.tape.forgotten > 40, "{}", track.oldest());
    assert_eq!(seen(&track.state_at(60, None), track.time_of(60)), before, "moments keep their numbers");
    let oldest = track.oldest();
    let _ = track.state_at(oldest, None);

    let mut player = Player::at_newest(&track, newest);
    assert_eq!(player.control(Control::Oldest, &mut track), Moved::Yes);
    assert_eq!(player.unix_ns(&track), track.time_of(oldest));
    assert!(matches!(player.control(Control::Step(-1), &mut track), Moved::Nowhere(_)));
}

#[test]
fn a_player_steps_jumps_plays_and_finds() {
    let (mut track, newest) = track(40);
    let second = |n: u64| START_UNIX_NS + n * SECOND;
    let mut player = Player::at_newest(&track, newest);
    assert_eq!(player.unix_ns(&track), second(40));
    let mut go = |wish, at| {
        assert_eq!(player.control(wish, &mut track), Moved::Yes, "{wish:?}");
        assert_eq!(player.unix_ns(&track), second(at), "{wish:?}");
    };
    go(Control::Step(-1), 39);
    go(Control::Jump(-10 * SECOND.cast_signed()), 29);
    go(Control::Finding(-1), 21);
    go(Control::Clock(5 * SECOND), 5);
    go(Control::Finding(1), 21);
    go(Control::Oldest, 1);

    assert_eq!(player.control(Control::Toggle, &mut track), Moved::No);
    assert!(player.is_playing());
    assert_eq!(player.pass(std::time::Duration::from_millis(2_500), &mut track), Moved::Yes);
    assert_eq!(player.unix_ns(&track), second(3));
    assert_eq!(player.control(Control::Faster, &mut track), Moved::No);
    assert_eq!(player.pass(std::time::Duration::from_millis(2_500), &mut track), Moved::Yes);
    assert_eq!(player.unix_ns(&track), second(8), "twice as fast, and no part of a second is lost");
    while player.pass(std::time::Duration::from_secs(60), &mut track) == Moved::Yes {}
    assert_eq!(player.unix_ns(&track), second(40));
}
