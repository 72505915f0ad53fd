//! The loop: one event after the other changes the state, the state becomes a frame.
//!
//! The drawing thread does nothing else and never waits: input, signals and the source each
//! have a thread and meet in one bounded [`Queue`], which answers input first. A frame is drawn
//! when something changed, at most thirty times a second.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use pollscope_model::query::page::Scope;

use crate::screens::event::{Event, Queue};
use crate::screens::state::hits::Hits;
use crate::screens::state::{Look, State, Tab};
use crate::screens::term::{self, Terminal};
use crate::screens::update::{self, Effect};
use crate::screens::{clip, view};
use crate::sources::{Source, SourceEvent};

/// How to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// The target in words, for the title until the source says better.
    pub title: Arc<str>,
    /// What is looked at first.
    pub scope: Scope,
    /// The first screen: [`Tab::Tasks`] for one process, [`Tab::Fleet`] for several.
    pub tab: Tab,
    /// Colours and characters.
    pub look: Look,
    /// Whether the mouse is taken from the terminal.
    pub mouse: bool,
    /// The manual text of a detector, `None` if there is no such detector.
    pub explain: fn(&str) -> Option<String>,
}

const FRAME: Duration = Duration::from_millis(33);
const TICK: Duration = Duration::from_millis(500);

/// Shows the screens until the user leaves them. `open` gets the sender that the source sends
/// through, once the terminal is taken.
///
/// # Errors
///
/// [`io::ErrorKind::Unsupported`] with one line for the user if there is no terminal to draw on;
/// whatever the terminal says if it goes away while drawing.
#[expect(clippy::disallowed_methods, reason = "the rim: whether there is a terminal to draw on")]
pub fn run(open: impl FnOnce(Sender<SourceEvent>) -> Box<dyn Source>, options: Options) -> io::Result<()> {
    if let Some(refusal) = term::refusal(std::env::var("TERM").ok().as_deref()) {
        return Err(io::Error::new(io::ErrorKind::Unsupported, refusal));
    }
    let queue = Arc::new(Queue::default());
    term::read_signals(Arc::clone(&queue))?;
    let mut terminal = Terminal::take(options.mouse)?;
    term::read_input(Arc::clone(&queue))?;
    let (tell, told) = channel();
    let forward = {
        let queue = Arc::clone(&queue);
        move || told.into_iter().for_each(|event| queue.push_data(event))
    };
    std::thread::Builder::new().name("pollscope-data".into()).spawn(forward)?;
    let mut source = open(tell);
    let mut state = State::new(options.title, options.scope, options.tab, options.look, terminal.size()?);
    state.explain = options.explain;
    turn(&mut state, &queue, source.as_mut(), &mut terminal)
}

fn turn(
    state: &mut State,
    queue: &Queue,
    source: &mut dyn Source,
    terminal: &mut Terminal,
) -> io::Result<()> {
    let started = Instant::now();
    let mut drawn = None;
    let mut changed = true;
    let mut effects = update::start(state);
    loop {
        for effect in effects.drain(..) {
            match effect {
                Effect::Ask(questions) => source.ask(questions),
                Effect::Control(control) => source.control(control),
                Effect::Dump(boot) => {
                    if !source.dump(boot) {
                        state.notify("nothing to dump here: attach to the process itself");
                    }
                }
                Effect::Copy(text) => match clip::osc52(&text) {
                    Some(sequence) => terminal.write(&sequence)?,
                    None => state.notify("too long for the terminal's clipboard: nothing copied"),
                },
                Effect::Clear => terminal.clear()?,
                Effect::Suspend => terminal.suspend()?,
                Effect::Quit => return Ok(()),
            }
        }
        // Events may come so often that no tick ever does: age by the clock, not by the tick.
        let aged = drawn.is_none_or(|at: Instant| at.elapsed() >= TICK);
        changed |= aged && update::ages(state);
        let due = drawn.map_or(started, |at: Instant| at + FRAME);
        if changed && Instant::now() >= due {
            let mut hits = Hits::default();
            terminal.draw(|buffer| hits = view::paint(state, buffer))?;
            drawn = Some(Instant::now());
            changed = false;
            effects = update::drawn(state, hits);
            continue;
        }
        let deadline = if changed { due } else { Instant::now() + TICK };
        let event = match queue.pop(deadline) {
            Some(event) => event,
            None if changed => continue,
            None => Event::Tick(started.elapsed()),
        };
        state.now = started.elapsed();
        changed |= update::shows(state, &event);
        effects = update::update(state, event);
    }
}
