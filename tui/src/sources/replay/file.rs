//! A recording as a source: a thread reads it once to its end, then shows whatever moment is wanted.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use pollscope_model::monitor::Received;
use pollscope_model::query::ask::Ask;
use pollscope_proto::recording::{Cursor, Ending, Recording};

use super::Control;
use super::player::{Moved, Player};
use super::track::{State, Tape, Track, UNTOLD, end};
use crate::output::failure::Failure;
use crate::output::fmt::clean;
use crate::sources::{QuestionId, Sink, Source, SourceEvent, Status};

/// How often playing moves on.
const FRAME: Duration = Duration::from_millis(100);
/// How often the progress of reading is sent.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// A recording. Dropping it ends its thread.
pub struct ReplaySource {
    commands: Sender<Command>,
}

enum Command {
    Ask(Vec<(QuestionId, Ask)>),
    Control(Control),
}

impl ReplaySource {
    /// Starts to read.
    pub fn open(path: PathBuf, recording: Recording, events: Sink) -> Result<Self, Failure> {
        let (commands, asked) = channel();
        let thread = move || {
            let tape = FileTape::new(recording);
            let questions = Vec::new();
            let replay = Replay { path, track: Track::new(tape), note: Arc::from(""), events, questions };
            // Ends when the other ends of its channels are gone.
            let _ = replay.run(&asked);
        };
        let started = std::thread::Builder::new().name("pollscope-replay".to_owned()).spawn(thread);
        started.map_err(|error| Failure::io("start a thread for the recording", error))?;
        Ok(Self { commands })
    }
}

impl Source for ReplaySource {
    fn ask(&mut self, questions: Vec<(QuestionId, Ask)>) {
        let _ = self.commands.send(Command::Ask(questions));
    }

    fn control(&mut self, control: Control) {
        let _ = self.commands.send(Command::Control(control));
    }
}

/// What is not whole about a recording, in words; empty if it is.
pub(super) fn shortcomings(ending: Ending, damaged: usize) -> String {
    let mut words = Vec::new();
    if let Ending::Cut { lost_bytes, .. } = ending {
        words.push(match lost_bytes {
            0 => "it was not finished".to_owned(),
            bytes => format!("it was not finished: its last {bytes} bytes are no whole chunk"),
        });
    }
    match damaged {
        0 => {}
        1 => words.push("1 chunk is damaged and left out".to_owned()),
        chunks => words.push(format!("{chunks} chunks are damaged and left out")),
    }
    words.join("; ")
}

/// What the thread works with.
struct Replay {
    path: PathBuf,
    track: Track<FileTape>,
    note: Arc<str>,
    events: Sink,
    questions: Vec<(QuestionId, Ask)>,
}

/// The other ends of the channels are gone.
struct Disconnected;

impl Replay {
    fn run(mut self, asked: &Receiver<Command>) -> Result<(), Disconnected> {
        let mut state = self.read(asked)?;
        let recording = &self.track.tape.recording;
        let end_unix_ns = recording.span().1;
        let mut words = shortcomings(recording.ending(), recording.damaged());
        if end(&mut state.monitor, end_unix_ns) {
            words = if words.is_empty() { UNTOLD.to_owned() } else { format!("{words}; {UNTOLD}") };
        }
        self.track.look_for_findings(&state.monitor);
        self.note = words.into();
        let mut player = Player::at_newest(&self.track, state);
        let label = self.label();
        self.send(SourceEvent::Status(Status::Connected { label }))?;
        self.show(&mut player)?;
        let mut last = Instant::now();
        loop {
            let command = if player.is_playing() {
                asked.recv_timeout(FRAME)
            } else {
                asked.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match command {
                Ok(Command::Ask(questions)) => {
                    let old = std::mem::replace(&mut self.questions, questions);
                    self.answer(&player, |question| !old.contains(question))?;
                }
                Ok(Command::Control(Control::Toggle))
                    if player.is_at_newest(&self.track) && !player.is_playing() =>
                {
                    player.restart(&mut self.track);
                    self.show(&mut player)?;
                }
                Ok(Command::Control(control)) => match player.control(control, &mut self.track) {
                    Moved::Nowhere(why) => self.send(SourceEvent::Notice(why.into()))?,
                    Moved::Newest => {
                        player.go_to_newest(&mut self.track);
                        self.show(&mut player)?;
                    }
                    Moved::Yes | Moved::No => self.show(&mut player)?,
                },
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(Disconnected),
            }
            let passed = last.elapsed();
            if passed >= FRAME || !player.is_playing() {
                last = Instant::now();
                match player.pass(passed, &mut self.track) {
                    Moved::Yes => self.show(&mut player)?,
                    Moved::Newest => {
                        player.pause();
                        self.show(&mut player)?;
                    }
                    Moved::No | Moved::Nowhere(_) => {}
                }
            }
        }
    }

    /// Reads to the end, and sends how far it is.
    fn read(&mut self, asked: &Receiver<Command>) -> Result<State, Disconnected> {
        let mut state = State::default();
        let mut sent: Option<Instant> = None;
        while state.take_next(&mut self.track) {
            if sent.is_some_and(|sent| sent.elapsed() < PROGRESS_EVERY) {
                continue;
            }
            sent = Some(Instant::now());
            loop {
                match asked.try_recv() {
                    Ok(Command::Ask(questions)) => self.questions = questions,
                    Ok(Command::Control(_)) => {}
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Err(Disconnected),
                }
            }
            let target = format!("{}: {}% read", self.path.display(), self.track.tape.read_percent());
            self.send(SourceEvent::Status(Status::Connecting { target: target.into() }))?;
        }
        Ok(state)
    }

    fn label(&self) -> Arc<str> {
        let file = self.path.file_name().unwrap_or(self.path.as_os_str());
        clean(&Path::new(file).display().to_string()).into_owned().into()
    }

    /// Sends where time stands, and answers every question anew.
    fn show(&mut self, player: &mut Player) -> Result<(), Disconnected> {
        if player.is_at_newest(&self.track) {
            end(&mut player.state.monitor, self.track.tape.recording.span().1);
        }
        let playback = player.playback(&self.track, &self.note);
        self.send(SourceEvent::Playback(Box::new(playback)))?;
        self.answer(player, |_| true)
    }

    fn answer(
        &mut self,
        player: &Player,
        wanted: impl Fn(&(QuestionId, Ask)) -> bool,
    ) -> Result<(), Disconnected> {
        let now = player.unix_ns(&self.track);
        for question in std::mem::take(&mut self.questions) {
            if wanted(&question) {
                let answer = player.state.monitor.answer(&question.1, now);
                self.send(SourceEvent::Answer(question.0, Box::new(answer)))?;
            }
            self.questions.push(question);
        }
        Ok(())
    }

    fn send(&mut self, event: SourceEvent) -> Result<(), Disconnected> {
        if (self.events)(event) { Ok(()) } else { Err(Disconnected) }
    }
}

/// A recording as a tape.
struct FileTape {
    recording: Recording,
    cursor: Cursor,
    /// The number of what the cursor reads next.
    next: u64,
    /// Places to begin at: what number opens which chunk.
    edges: Vec<(u64, usize)>,
}

impl FileTape {
    fn new(recording: Recording) -> Self {
        Self { recording, cursor: Cursor::default(), next: 0, edges: Vec::new() }
    }

    fn read_percent(&self) -> usize {
        let (_, chunk) = self.edges.last().copied().unwrap_or_default();
        chunk * 100 / self.recording.chunks().max(1)
    }

    fn step(&mut self) -> Option<(u64, Received)> {
        let edge = self.cursor.chunk_edge();
        if let Some(chunk) = edge.filter(|_| self.edges.last().is_none_or(|(number, _)| *number < self.next))
        {
            self.edges.push((self.next, chunk));
        }
        let entry = self.cursor.next(&mut self.recording)?;
        self.next += 1;
        Some((entry.unix_ns, entry.message.into()))
    }
}

impl Tape for FileTape {
    fn read(&mut self, number: u64) -> Option<(u64, Received)> {
        if number != self.next {
            let before = self.edges.partition_point(|(edge, _)| *edge <= number);
            let (edge, chunk) = before.checked_sub(1).map_or((0, 0), |at| self.edges[at]);
            (self.cursor, self.next) = (Cursor::at_chunk(chunk), edge);
            while self.next < number {
                self.step()?;
            }
        }
        self.step()
    }
}
