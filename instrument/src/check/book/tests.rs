//! Sessions beside each other, and beside the reader of the whole process.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::task::Poll;

use pollscope_model::dict::Dictionary;
use pollscope_model::entity::edge::Waker;
use pollscope_model::entity::site::SiteDelta;
use pollscope_model::entity::task::{TaskKind, TaskRecord};
use pollscope_model::id::{SiteId, TaskId, WorkerId};
use pollscope_model::report::Losses;
use pollscope_recorder::task::Labels;

use super::*;
use crate::runtime::TOKIO;
use crate::task;

fn settings(name: &str) -> Settings {
    Settings { name: name.to_owned(), slow_poll: Duration::from_secs(60), stall: None, policy: String::new() }
}

fn open(name: &str) -> Book {
    Book::open(settings(name)).expect("a number is free")
}

/// All reports of one book, folded.
#[derive(Default)]
struct Fold {
    dict: Dictionary,
    sites: HashMap<SiteId, SiteDelta>,
    tasks: HashMap<TaskId, TaskRecord>,
    edges: HashMap<(SiteId, Waker), u64>,
    worker_polls: HashMap<WorkerId, u64>,
    slow_polls: Vec<(TaskId, u64)>,
    losses: Losses,
    seq: u64,
}

impl Fold {
    fn take(&mut self, report: Report) {
        assert_eq!(report.first_seq, self.seq + 1);
        self.seq = report.seq;
        for entry in report.dict {
            self.dict.insert(entry);
        }
        for site in report.sites {
            let new = || SiteDelta { site: site.site, ..SiteDelta::default() };
            self.sites.entry(site.site).or_insert_with(new).merge(&site);
        }
        self.tasks.extend(report.tasks.into_iter().map(|task| (task.id, task)));
        for edge in report.edges {
            *self.edges.entry(edge.key()).or_default() += edge.count;
        }
        for worker in report.workers {
            *self.worker_polls.entry(worker.id).or_default() += worker.polls.unwrap_or(0);
        }
        self.slow_polls.extend(report.slow_polls.iter().map(|poll| (poll.task, poll.wall_ns)));
        self.losses = report.losses;
    }

    fn of(book: &Book) -> Self {
        let mut fold = Self::default();
        fold.take(book.last_report());
        fold
    }

    fn name(&self, task: &TaskRecord) -> String {
        self.dict.name(task.name).to_string()
    }

    fn sum(&self, of: impl Fn(&SiteDelta) -> u64) -> u64 {
        self.sites.values().map(of).sum()
    }
}

/// Wakes itself `yields` times and returns.
fn yields(yields: u64) -> impl Future<Output = ()> + Send {
    let mut polls = 0;
    poll_fn(move |cx| {
        polls += 1;
        if polls > yields {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

fn current() -> Builder {
    Builder::new_current_thread()
}

#[test]
fn two_sessions_at_one_line_know_nothing_of_each_other() {
    let (one, two) = (open("one"), open("two"));
    let run = |book: &Book, tasks: u64| {
        let runtime = book.build(&mut current(), Callbacks::new(), "two-sessions").expect("a runtime");
        let _here = book.enter();
        runtime.block_on(async {
            for _ in 0..tasks {
                task("same-line").spawn(yields(tasks)).await.expect("returns");
            }
        });
    };
    run(&one, 2);
    run(&two, 5);
    run(&one, 3);
    for (book, tasks, polls) in [(&one, 5, 2 * 3 + 3 * 4), (&two, 5, 5 * 6)] {
        let fold = Fold::of(book);
        assert_eq!((fold.sites.len(), fold.tasks.len()), (1, tasks));
        assert_eq!(fold.sum(|site| site.spawned), tasks as u64);
        assert_eq!(fold.sum(|site| site.completed), tasks as u64);
        assert_eq!(fold.sum(|site| site.poll.count()), polls);
        assert_eq!(fold.sum(|site| site.self_wakes), polls - tasks as u64);
        assert!(fold.tasks.values().all(|task| fold.name(task) == "same-line"));
        assert_eq!(fold.edges.values().sum::<u64>(), polls - tasks as u64);
        assert_eq!((fold.losses, book.live_tasks()), (Losses::default(), 0));
    }
}

#[test]
fn the_body_is_of_the_session_and_so_is_what_it_spawns() {
    let book = open("body");
    let runtime = book.build(&mut current(), Callbacks::new(), "body").expect("a runtime");
    let body = async {
        crate::spawn(async { crate::spawn(yields(1)).await }).await.expect("returns").expect("returns");
        crate::spawn_blocking(|| ()).await.expect("returns");
    };
    let at = Location::caller();
    let handle = book.spawn_on(Spawn::at(at, Labels::default(), 0), body, runtime.handle());
    runtime.block_on(handle).expect("returns");
    let fold = Fold::of(&book);
    assert_eq!(fold.tasks.len(), 4);
    assert!(fold.sites.keys().any(|site| fold.dict.site(*site).line == at.line()));
    let jobs = fold.tasks.values().filter(|task| task.kind == TaskKind::Blocking).count();
    assert_eq!(jobs, 1);
}

/// Waits until every task has ended, its last hook included.
fn settle(book: &Book) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while book.live_tasks() > 0 {
        assert!(Instant::now() < deadline, "{} tasks go on", book.live_tasks());
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// One session with a known number of everything, which depends on `n`.
fn exact_session(n: u64) {
    let book = open(&format!("exact-{n}"));
    let mut builder =
        if n.is_multiple_of(2) { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    let runtime =
        book.build(builder.worker_threads(2), Callbacks::new(), &format!("exact-{n}")).expect("a runtime");
    let mut fold = Fold::default();
    let here = book.enter();
    runtime.block_on(async {
        let mut wrapped = crate::JoinSet::new();
        let mut hooked = tokio::task::JoinSet::new();
        for _ in 0..10 + n {
            wrapped.spawn(async move { crate::spawn(yields(n)).await.expect("returns") });
            hooked.spawn(async { tokio::spawn(yields(2)).await.expect("returns") });
        }
        let handle = Handle::current();
        let foreign = std::thread::spawn(move || {
            let wrapped: Vec<_> = (0..3).map(|_| crate::spawn_on(yields(1), &handle)).collect();
            let hooked: Vec<_> = (0..4).map(|_| handle.spawn(yields(1))).collect();
            let entered = handle.enter();
            let job = crate::spawn_blocking(|| crate::spawn(yields(0)));
            drop(entered);
            (wrapped, hooked, job)
        });
        let (by_thread, hooked_by_thread, job) =
            tokio::task::spawn_blocking(|| foreign.join()).await.expect("returns").expect("no panic");
        for handle in by_thread {
            handle.await.expect("returns");
        }
        for handle in hooked_by_thread {
            handle.await.expect("returns");
        }
        job.await.expect("returns").await.expect("returns");
        fold.take(book.report());
        while wrapped.join_next().await.is_some() {}
        while hooked.join_next().await.is_some() {}
    });
    drop(here);
    settle(&book);
    fold.take(book.last_report());
    drop(runtime);
    fold.take(book.last_report());

    let of_mode = |mode| fold.tasks.values().filter(move |task| task.mode == mode);
    let wrapped: Vec<_> = of_mode(Mode::Wrap).collect();
    let hooked: Vec<_> = of_mode(Mode::Hooks).collect();
    // By a task, by its child, by the thread, the job and what the job spawned.
    assert_eq!(wrapped.len() as u64, 2 * (10 + n) + 3 + 1 + 1, "session {n}");
    assert_eq!(hooked.len() as u64, if cfg!(tokio_unstable) { 2 * (10 + n) + 4 } else { 0 }, "session {n}");
    assert_eq!(fold.sum(|site| site.spawned), fold.tasks.len() as u64);
    assert_eq!(fold.sum(|site| site.completed), wrapped.len() as u64);
    assert_eq!(fold.sum(|site| site.ended), hooked.len() as u64);
    let polls: u64 = fold.tasks.values().map(|task| task.polls).sum();
    assert_eq!(fold.sum(|site| site.poll.count()), polls);
    let self_wakes = (10 + n) * n + 3;
    assert_eq!(fold.sum(|site| site.self_wakes), self_wakes);
    // A parent is woken by its child's end, unless that was faster.
    let wakes = fold.sum(|site| site.wakes);
    assert!((self_wakes..=self_wakes + 10 + n).contains(&wakes), "{wakes}");
    assert_eq!(wakes, wrapped.iter().map(|task| task.wakes).sum::<u64>());
    assert_eq!(wakes, fold.edges.values().sum::<u64>());
    let mine = |site: &SiteId| fold.sites.contains_key(site);
    for (to, from) in fold.edges.keys() {
        assert!(mine(to) && if let Waker::Site(from) = from { mine(from) } else { true });
    }
    let children = wrapped.iter().filter(|task| task.self_wakes > 0);
    assert!(children.clone().all(|task| (task.polls, task.wakes) == (task.self_wakes + 1, task.self_wakes)));
    assert_eq!(children.count() as u64, if n == 0 { 3 } else { 10 + n + 3 });
    assert!(fold.worker_polls.values().sum::<u64>() <= polls, "{:?} of {polls}", fold.worker_polls);
    assert_eq!(fold.losses, Losses::default());
    assert!(fold.slow_polls.is_empty());
}

#[test]
fn sixteen_sessions_on_eight_threads_are_exact() {
    let next = std::sync::atomic::AtomicU64::new(0);
    let rounds = if cfg!(debug_assertions) { 4 } else { 40 };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= 16 * rounds {
                        return;
                    }
                    exact_session(n % 16);
                }
            });
        }
    });
}

#[test]
fn whoever_reads_everything_sees_one_site_for_one_line() {
    crate::testkit::record();
    let books = [open("seen-1"), open("seen-2")];
    let line = line!() + 4;
    for book in &books {
        let runtime = book.build(&mut current(), Callbacks::new(), "seen").expect("a runtime");
        let _here = book.enter();
        runtime.block_on(async { task("seen-by-all").spawn(yields(3)).await }).expect("returns");
        assert_eq!(Fold::of(book).tasks.len(), 1);
    }
    let fold = crate::testkit::fold();
    let rows = fold.named("seen-by-all");
    assert_eq!((rows.len(), rows[0].polls), (2, 4));
    let site = fold.site_at(file!(), line).expect("known");
    assert_eq!((site.spawned, site.completed, site.poll.count()), (2, 2, 8));
    assert!(rows.iter().all(|row| row.site == site.site));
    let edge = fold.edges.get(&(site.site, Waker::Site(site.site)));
    assert_eq!(edge, Some(&6));
}

#[test]
fn each_session_has_its_own_limit() {
    let strict = Settings { slow_poll: Duration::from_millis(1), ..settings("strict") };
    let strict = Book::open(strict).expect("a number is free");
    let lax = open("lax");
    for book in [&strict, &lax] {
        let runtime = book.build(&mut current(), Callbacks::new(), "limits").expect("a runtime");
        let _here = book.enter();
        let slow = || async { std::thread::sleep(Duration::from_millis(5)) };
        runtime.block_on(async { crate::spawn(slow()).await }).expect("returns");
        if cfg!(tokio_unstable) {
            runtime.block_on(async { tokio::spawn(slow()).await }).expect("returns");
        }
        settle(book);
    }
    let expected = if cfg!(tokio_unstable) { 2 } else { 1 };
    let fold = Fold::of(&strict);
    assert_eq!((fold.slow_polls.len(), fold.sum(|site| site.slow_polls)), (expected, expected as u64));
    assert!(fold.slow_polls.iter().all(|(task, wall)| *wall >= 5_000_000 && fold.tasks.contains_key(task)));
    let fold = Fold::of(&lax);
    assert_eq!((fold.slow_polls.len(), fold.sum(|site| site.slow_polls)), (0, 0));
}

#[test]
fn a_number_waits_for_the_last_that_speaks_of_it() {
    let elsewhere = current().build().expect("a runtime");
    let run = |name: &str| {
        let book = open(name);
        let session = book.lease.session();
        let runtime = book.build(&mut current(), Callbacks::new(), name).expect("a runtime");
        let _here = book.enter();
        (book, session, runtime)
    };
    let wakers = std::sync::Mutex::new(Vec::new());
    let keeps_waker = || {
        poll_fn(|cx| {
            wakers.lock().expect("no panic").push(cx.waker().clone());
            Poll::Ready(())
        })
    };
    let (book, with_task, runtime) = run("leaves-a-task");
    let task = {
        let _here = book.enter();
        crate::spawn_on(yields(1), elsewhere.handle())
    };
    drop((book, runtime));
    let (book, with_waker, runtime) = run("leaves-a-waker");
    {
        let _here = book.enter();
        let local = tokio::task::LocalSet::new();
        let mut traced = Box::pin(crate::Traced::traced(keeps_waker(), "keeps"));
        runtime.block_on(local.run_until(traced.as_mut()));
    }
    drop((book, runtime));
    let (book, with_runtime, kept) = run("leaves-a-runtime");
    drop(book);
    let left = [with_task, with_waker, with_runtime];
    let others: Vec<_> = (0..20).map(|n| open(&format!("other-{n}"))).collect();
    assert!(others.iter().all(|book| !left.contains(&book.lease.session())));
    drop(others);

    elsewhere.block_on(task).expect("returns");
    drop((wakers.into_inner().expect("no panic"), kept));
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut missing: Vec<_> = left.to_vec();
    while !missing.is_empty() {
        assert!(Instant::now() < deadline, "{missing:?} are not used again");
        // Others take numbers too, and give them back.
        let books: Vec<_> = (0..40).map(|n| open(&format!("again-{n}"))).collect();
        missing.retain(|session| books.iter().all(|book| book.lease.session() != *session));
    }
}

#[test]
fn ten_thousand_sessions_take_no_more_than_a_few() {
    let run = |n: u64| {
        let book = open("one-of-many");
        let runtime = book.build(&mut current(), Callbacks::new(), "one-of-many").expect("a runtime");
        let _here = book.enter();
        runtime.block_on(async { crate::spawn(yields(n % 3)).await }).expect("returns");
        let fold = Fold::of(&book);
        assert_eq!((fold.tasks.len(), fold.sum(|site| site.poll.count())), (1, n % 3 + 1));
        book.lease.session()
    };
    let sessions: std::collections::HashSet<_> = (0..10_000).map(run).collect();
    // Other tests have theirs at the same time.
    assert!(sessions.len() < 200, "{}", sessions.len());
}

#[test]
fn a_handle_whose_record_was_given_back_keeps_its_sessions_number() {
    if !crate::testkit::alone(
        "check::book::tests::a_handle_whose_record_was_given_back_keeps_its_sessions_number",
    ) {
        return;
    }
    let settings = pollscope_recorder::Settings { max_tasks: 8, ..Default::default() };
    pollscope_recorder::Recorder::global().start(settings, TOKIO);
    // A runtime that was built for the session would keep its number by itself.
    let runtime = current().build().expect("a runtime");
    let numbers = |handles: &mut Vec<JoinHandle<()>>| {
        let book = open("handles-are-held");
        let _here = book.enter();
        let mut fold = Fold::default();
        for ended in 1..=4 {
            handles.push(crate::spawn_on(yields(0), runtime.handle()));
            while fold.sum(SiteDelta::all_ended) < ended {
                runtime.block_on(tokio::task::yield_now());
                fold.take(book.report());
            }
        }
        assert_eq!((fold.tasks.len(), fold.sum(SiteDelta::unread_outcomes), fold.losses.total()), (4, 4, 0));
        book.lease.session()
    };
    let mut handles = Vec::new();
    let first = numbers(&mut handles);
    for _ in 0..3 {
        assert_ne!(numbers(&mut Vec::new()), first, "its handles would count for the next");
    }
    drop(handles);
    assert_eq!(numbers(&mut Vec::new()), first, "the longest free is the next");
}
