//! The loop of a process source: its links, their events, and the answers.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pollscope_model::id::BootId;
use pollscope_model::monitor::Message;
use pollscope_model::query::ask::Ask;
use pollscope_model::report::ReportKind;
use pollscope_system::process::is_alive;
use tokio::sync::{mpsc, watch as cell};
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::history::History;
use super::link::{self, Event, LinkEvent};
use super::status::{self, Link, LinkState};
use super::{UserRequest, dump};
use crate::sources::discover::{self, Found, Places};
use crate::sources::elsewhere;
use crate::sources::endpoint::Endpoint;
use crate::sources::feed::Flights;
use crate::sources::lookup::Watched;
use crate::sources::replay::{Control, Run};
use crate::sources::{QuestionId, Questions, Sink, SourceEvent, Status, unix_ns};

/// Standing questions are answered again at most so often.
const ANSWER_EVERY: Duration = Duration::from_millis(250);
/// New processes of the machine are looked for so often.
const SCAN_EVERY: Duration = Duration::from_secs(1);
/// Every so many looks also those of other users and namespaces.
const ELSEWHERE_EVERY: u32 = 5;
/// For so long single polls are asked for after something was found at deny.
const ALARM: Duration = Duration::from_secs(5);
/// Events of all links that wait; a link whose process sends faster is held back, and the process
/// folds.
const WAITING_EVENTS: usize = 32;

/// Everything that the loop knows.
pub(super) struct Watch {
    watched: Watched,
    places: Places,
    /// Looks for processes so far.
    scans: u32,
    links: HashMap<usize, Link>,
    next_link: usize,
    events: mpsc::Sender<Event>,
    happened: Option<mpsc::Receiver<Event>>,
    sink: Sink,
    status: Option<Status>,
    asked: Questions,
    /// The processes of which single polls are asked for.
    flights: cell::Sender<Flights>,
    /// The processes of which single polls are asked for because something was found, and until when.
    alarmed: Vec<(BootId, Instant)>,
    history: History,
    /// What the screens were last sent of time: how it moves and what limits it.
    sent_playback: Option<(Run, Arc<str>, bool)>,
    passed: Instant,
    /// Something was folded since the last answers.
    changed: bool,
}

impl Watch {
    pub(super) fn new(watched: Watched, places: Places, sink: Sink) -> Self {
        let (events, happened) = mpsc::channel(WAITING_EVENTS);
        Self {
            watched,
            places,
            scans: 0,
            links: HashMap::new(),
            next_link: 0,
            events,
            happened: Some(happened),
            sink,
            status: None,
            asked: Questions::default(),
            flights: cell::Sender::new(Flights::default()),
            alarmed: Vec::new(),
            history: History::default(),
            sent_playback: None,
            passed: Instant::now(),
            changed: false,
        }
    }

    /// Runs until the other ends of its channels are gone.
    pub(super) async fn run(
        mut self,
        mut asked: cell::Receiver<Questions>,
        mut requested: mpsc::Receiver<UserRequest>,
    ) {
        let Some(mut happened) = self.happened.take() else { return };
        let mut answers = interval(ANSWER_EVERY);
        let mut scans = interval(SCAN_EVERY);
        answers.set_missed_tick_behavior(MissedTickBehavior::Delay);
        scans.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let wanted = tokio::select! {
                changed = asked.changed() => match changed {
                    Ok(()) => {
                        let questions = asked.borrow_and_update().clone();
                        self.take_questions(questions)
                    }
                    Err(_) => return,
                },
                _ = scans.tick() => {
                    self.look_for_processes();
                    self.send_status()
                }
                Some((link, event)) = happened.recv() => {
                    let begins = self.take(link, event);
                    self.send_status() && (!begins || self.answer_all())
                }
                Some(control) = requested.recv() => match control {
                    UserRequest::Time(control) => self.control(control),
                    UserRequest::Dump(boot) => self.dump(boot),
                },
                _ = answers.tick() => {
                    self.history.tick(unix_ns());
                    self.handle_alarms();
                    self.advance()
                }
            };
            if !wanted {
                return;
            }
        }
    }

    fn take_questions(&mut self, questions: Questions) -> bool {
        let old = std::mem::replace(&mut self.asked, questions);
        let asked = self.asked.clone();
        self.ask_for_flights();
        asked.iter().filter(|question| !old.contains(question)).all(|(id, ask)| self.answer(*id, ask))
    }

    /// Where something was found at deny, single polls are recorded for a moment, to be looked at later.
    fn handle_alarms(&mut self) {
        let now = Instant::now();
        let before = self.alarmed.len();
        self.alarmed.retain(|(_, until)| now < *until);
        let fresh = self.history.take_alarms();
        if !fresh.is_empty() || self.alarmed.len() != before {
            self.alarmed.extend(fresh.into_iter().map(|boot| (boot, now + ALARM)));
            self.ask_for_flights();
        }
    }

    /// Sends the links the processes of which single polls are wanted.
    fn ask_for_flights(&self) {
        let asked = self.asked.iter().filter_map(|(_, ask)| match ask {
            Ask::Flight(query) => Some(query.boot),
            _ => None,
        });
        let wanted: Flights = asked.chain(self.alarmed.iter().map(|(boot, _)| *boot)).collect();
        self.flights.send_if_modified(|flights| {
            let changed = *flights != wanted;
            *flights = wanted;
            changed
        });
    }

    fn answer_all(&mut self) -> bool {
        let asked = self.asked.clone();
        asked.iter().all(|(id, ask)| self.answer(*id, ask))
    }

    fn answer(&mut self, id: QuestionId, ask: &Ask) -> bool {
        let answer = match self.history.shown() {
            Some((monitor, now)) => monitor.answer(ask, now),
            None => self.history.live().answer(ask, unix_ns()),
        };
        (self.sink)(SourceEvent::Answer(id, Box::new(answer)))
    }

    /// Does what the user wants of time.
    fn control(&mut self, control: Control) -> bool {
        if let Err(why) = self.history.control(control) {
            return (self.sink)(SourceEvent::Notice(why.into()));
        }
        self.passed = Instant::now();
        self.send_playback(true) && self.answer_all()
    }

    /// Writes what is shown of a process into the current folder, while the links wait.
    fn dump(&mut self, boot: BootId) -> bool {
        let monitor = self.history.shown().map_or(self.history.live(), |(monitor, _)| monitor);
        let said = dump::write(monitor.world(), boot, Path::new(""));
        (self.sink)(SourceEvent::Notice(said.into()))
    }

    /// Moves what is shown on by the time that has passed.
    fn advance(&mut self) -> bool {
        let passed = std::mem::replace(&mut self.passed, Instant::now()).elapsed();
        let held = self.history.shown().is_some();
        let moved = self.history.pass(passed);
        let changed = std::mem::take(&mut self.changed);
        let show = moved || !held && changed;
        self.send_playback(held && (moved || changed)) && (!show || self.answer_all())
    }

    /// Sends how time moves if that has changed, and always with `anyhow`.
    fn send_playback(&mut self, anyhow: bool) -> bool {
        let playback = self.history.playback();
        let known = (playback.run, playback.note.clone(), playback.kept);
        if !anyhow && self.sent_playback.as_ref() == Some(&known) {
            return true;
        }
        self.sent_playback = Some(known);
        (self.sink)(SourceEvent::Playback(Box::new(playback)))
    }

    fn look_for_processes(&mut self) {
        match &self.watched {
            Watched::Address(endpoint) if self.links.is_empty() => self.open(endpoint.clone(), None),
            Watched::Process(found) if self.links.is_empty() => {
                self.open(found.endpoint.clone(), Some(found.pid));
            }
            Watched::Address(_) | Watched::Process(_) => {}
            Watched::Machine | Watched::Name(_) => {
                for Found { pid, endpoint } in self.newcomers() {
                    self.open(endpoint, Some(pid));
                }
            }
        }
        let dead = |link: &Link| {
            !matches!(link.state, LinkState::Open) && link.pid.is_some_and(|pid| !is_alive(pid))
        };
        let ended: Vec<usize> = self.links.iter().filter(|(_, link)| dead(link)).map(|(id, _)| *id).collect();
        for id in ended {
            self.process_ended(id);
        }
    }

    /// Processes of this machine that have no link yet. Those of other users and namespaces are looked for less often,
    /// since that takes a look at every process there is.
    fn newcomers(&mut self) -> Vec<Found> {
        let known: HashSet<&Endpoint> = self.links.values().map(|link| &link.endpoint).collect();
        let mut found = discover::scan_unknown(&self.places.folders, |endpoint| known.contains(endpoint));
        if self.places.elsewhere && self.scans.is_multiple_of(ELSEWHERE_EVERY) {
            let pids: HashSet<u32> = self.links.values().filter_map(|link| link.pid).collect();
            let is_known = |pid| pids.contains(&pid) || found.iter().any(|found| found.pid == pid);
            let others = elsewhere::scan(is_known).found;
            found.extend(others);
        }
        self.scans = self.scans.wrapping_add(1);
        found
    }

    /// A process that is known to be dead is not tried again; its last state stays.
    fn process_ended(&mut self, id: usize) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.task.abort();
        match (&self.watched, link.pid) {
            (Watched::Process(_) | Watched::Address(_), Some(pid)) => {
                link.state = LinkState::Ended { reason: format!("process {pid} has ended") };
            }
            _ => drop(self.links.remove(&id)),
        }
    }

    fn spawn(&self, id: usize, endpoint: &Endpoint) -> AbortHandle {
        let keep = link::keep(id, endpoint.clone(), self.flights.subscribe(), self.events.clone());
        tokio::spawn(keep).abort_handle()
    }

    fn open(&mut self, endpoint: Endpoint, pid: Option<u32>) {
        let id = self.next_link;
        self.next_link += 1;
        let task = self.spawn(id, &endpoint);
        let (state, who, orderly) = (LinkState::Opening, None, false);
        self.links.insert(id, Link { endpoint, pid, orderly, task, state, who });
    }

    /// A new stream, which begins with a snapshot. It gets a new number, so that what is left of the old one in the
    /// queue is not taken for its messages.
    fn restart(&mut self, id: usize) {
        let Some(mut link) = self.links.remove(&id) else { return };
        link.task.abort();
        link.task = self.spawn(self.next_link, &link.endpoint);
        link.state = LinkState::Opening;
        self.links.insert(self.next_link, link);
        self.next_link += 1;
    }

    /// Takes what happened on a link. True at the first part of a snapshot of several, which has all
    /// totals and the first rows: worth to be shown before the rest is in.
    fn take(&mut self, id: usize, event: LinkEvent) -> bool {
        let now = unix_ns();
        let Some(link) = self.links.get_mut(&id) else { return false };
        if matches!(link.state, LinkState::Ignored) {
            return false;
        }
        let mut begins = false;
        self.changed = true;
        match event {
            LinkEvent::Up(mut hello) => {
                // In a pid namespace of its own the process knows itself by a number that means nothing here.
                if let (Endpoint::Inside(_) | Endpoint::Tcp(_), Some(pid)) = (&link.endpoint, link.pid) {
                    hello.process.pid = pid;
                }
                if matches!(&self.watched, Watched::Name(name) if *name != hello.process.name) {
                    link.task.abort();
                    link.state = LinkState::Ignored;
                    return false;
                }
                let boot = hello.boot;
                let named_after = link.endpoint.socket().and_then(discover::pid_of);
                let here = |pid: &u32| *pid == hello.process.pid && is_alive(*pid);
                link.pid = link.pid.or(named_after.filter(here));
                link.orderly = false;
                if let Err(error) = self.history.receive(Message::Hello(hello), now) {
                    link.task.abort();
                    link.state = LinkState::Refused { reason: error.to_string() };
                    return false;
                }
                let label = self.history.label(boot);
                let before = link.who.replace((boot, label));
                if let Some((old, _)) = before.filter(|(old, _)| *old != boot) {
                    self.history.lose(old, "another process took its place", now);
                }
                link.state = LinkState::Opening;
            }
            LinkEvent::Report(report) => {
                let whole = report.kind.is_last_part();
                begins = !whole && matches!(report.kind, ReportKind::Snapshot { part: 0, .. });
                let receipt = self.history.receive(Message::Report(report), now);
                if receipt.is_ok_and(|receipt| receipt.wants_snapshot()) {
                    self.restart(id);
                } else if whole {
                    link.state = LinkState::Open;
                }
            }
            LinkEvent::Down { reason, last, orderly } => {
                link.orderly |= orderly;
                if let Some((boot, _)) = &link.who {
                    self.history.lose(*boot, &reason, now);
                }
                link.state = match &link.state {
                    _ if last => LinkState::Refused { reason },
                    LinkState::Lost { attempts, .. } => LinkState::Lost { reason, attempts: attempts + 1 },
                    _ => LinkState::Lost { reason, attempts: 0 },
                };
            }
        }
        begins
    }

    /// Sends how the connections stand if that changed.
    fn send_status(&mut self) -> bool {
        let status = status::overall(&self.watched, &self.links, self.status.as_ref());
        if self.status.as_ref() == Some(&status) {
            return true;
        }
        // A caller that waits for "connected" may rely on the answers that follow, and one that ends with the target
        // on those that came before.
        let connected = matches!(status, Status::Connected { .. });
        let away = matches!(status, Status::Lost { .. } | Status::Ended { .. });
        self.status = Some(status.clone());
        (!away || self.answer_all())
            && (self.sink)(SourceEvent::Status(status))
            && (!connected || self.answer_all())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.links.values().for_each(|link| link.task.abort());
    }
}
