//! Threads that count nothing are not read; those that count anything are, at the next tick.

use std::future::pending;
use std::pin::{Pin, pin};
use std::sync::mpsc;
use std::task::{Context, Wake};
use std::thread::JoinHandle;

use pollscope_model::id::SiteId;
use pollscope_recorder::thread;
use tokio::runtime::Builder;

use crate::Traced;
use crate::testkit::{Fold, alone, fold, fold_until, record};

use super::*;

type Job = Box<dyn FnOnce() + Send>;

/// A thread that lives, and does nothing but what it is given.
struct Quiet {
    index: u32,
    jobs: Option<mpsc::Sender<(Job, mpsc::Sender<()>)>>,
    thread: Option<JoinHandle<()>>,
}

impl Quiet {
    fn start() -> Self {
        Self::start_with(|| {})
    }

    /// `first` comes before the thread has a state.
    fn start_with(first: impl FnOnce() + Send + 'static) -> Self {
        let (jobs, inbox) = mpsc::channel::<(Job, mpsc::Sender<()>)>();
        let (told, index) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            first();
            told.send(thread::here().index).expect("the test waits");
            for (job, done) in inbox {
                job();
                done.send(()).expect("the test waits");
            }
        });
        let index = index.recv().expect("the thread starts");
        Self { index, jobs: Some(jobs), thread: Some(thread) }
    }

    /// Returns when the thread has done it.
    fn run(&self, job: impl FnOnce() + Send + 'static) {
        let (done, wait) = mpsc::channel();
        let jobs = self.jobs.as_ref().expect("not ended");
        jobs.send((Box::new(job), done)).expect("the thread lives");
        wait.recv().expect("no panic");
    }

    /// Lets it begin that and waits for nothing; the result waits until it is done.
    fn begin(&self, job: impl FnOnce() + Send + 'static) -> mpsc::Receiver<()> {
        let (done, wait) = mpsc::channel();
        let jobs = self.jobs.as_ref().expect("not ended");
        jobs.send((Box::new(job), done)).expect("the thread lives");
        wait
    }

    /// Returns when the thread has ended.
    fn end(mut self) {
        self.jobs = None;
        self.thread.take().expect("not ended").join().expect("no panic");
    }
}

fn poll(future: Pin<&mut impl Future>) {
    let _ = future.poll(&mut Context::from_waker(Waker::noop()));
}

/// One poll at each of three sites.
fn three_sites() {
    poll(pin!(async {}.traced("quiet-one")));
    poll(pin!(async {}.traced("quiet-two")));
    poll(pin!(async {}.traced("quiet-three")));
}

/// Counts once at a site of the thread, without a word to the drain.
fn count_in_secret(index: u32, site: SiteId) {
    thread::at(index, |thread| thread.site(site.0).spawned.add(1)).expect("it lives");
}

/// What one tick says was spawned at a site.
fn spawned(told: &[SiteDelta], site: SiteId) -> u64 {
    told.iter().filter(|told| told.site == site).map(|told| told.spawned).sum()
}

#[test]
fn the_sites_of_a_quiet_thread_are_not_read() {
    if !alone("report::drain::tests::quiet::the_sites_of_a_quiet_thread_are_not_read") {
        return;
    }
    record();
    let quiet = Quiet::start();
    quiet.run(three_sites);
    let mut fold = fold();
    let sites: Vec<SiteId> =
        ["quiet-one", "quiet-two", "quiet-three"].map(|name| fold.one(name).expect("told").site).into();
    let mut tick = || fold.drain.tick().sites;
    for site in &sites {
        count_in_secret(quiet.index, *site);
    }
    for _ in 0..3 {
        assert_eq!(tick(), []);
    }
    // Another thread counts at the same sites, whose totals change.
    three_sites();
    let told = tick();
    assert_eq!(sites.iter().map(|site| spawned(&told, *site)).collect::<Vec<_>>(), [1; 3]);
    assert_eq!(tick(), []);

    quiet.run(|| poll(pin!(async {}.traced("quiet-four"))));
    let told = tick();
    assert_eq!(sites.iter().map(|site| spawned(&told, *site)).collect::<Vec<_>>(), [1; 3], "now it is read");
    quiet.end();
}

/// Keeps its waker and waits.
fn keeps(waker: &Arc<Mutex<Vec<Waker>>>) -> impl Future<Output = ()> + Send + use<> {
    let waker = Arc::clone(waker);
    poll_fn(move |cx| {
        waker.lock().expect("not poisoned").push(cx.waker().clone());
        Poll::Pending
    })
}

/// What an executor would do with it.
struct Ignored;

impl Wake for Ignored {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_count_of_any_kind_is_told_at_the_next_tick() {
    if !alone("report::drain::tests::quiet::a_count_of_any_kind_is_told_at_the_next_tick") {
        return;
    }
    record();
    let quiet = Quiet::start();
    quiet.run(three_sites);
    let runtime = || Builder::new_current_thread().build().expect("a runtime");
    let waker = Waker::from(Arc::new(Ignored));
    let begun = |wakers: &Arc<Mutex<Vec<Waker>>>| {
        let mut future = Box::pin(keeps(wakers).traced("quiet-begun"));
        let _ = future.as_mut().poll(&mut Context::from_waker(&waker));
        future
    };
    let wakers: Arc<Mutex<Vec<Waker>>> = Arc::default();
    let (mut polled, woken, dropped) = (begun(&wakers), begun(&wakers), begun(&wakers));
    let last = |wakers: &Arc<Mutex<Vec<Waker>>>| wakers.lock().expect("not poisoned").pop().expect("kept");
    let _of_the_dropped = last(&wakers);
    let of_the_woken = last(&wakers);
    let (spawns, drops) = (runtime(), runtime());
    let spawner = spawns.handle().clone();
    let unpolled = task("quiet-dropped").spawn_on(pending::<()>(), drops.handle());
    let over = runtime();
    let outcome = task("quiet-taken").spawn_on(async {}, over.handle());
    over.block_on(tokio::task::yield_now());
    let (give, handle) = mpsc::channel();

    let mut fold = fold();
    let mut told = || {
        let report = fold.drain.tick();
        let again = fold.drain.tick();
        assert_eq!(again.sites, [], "once");
        assert_eq!(again.edges, []);
        let mut sum = SiteDelta::default();
        report.sites.iter().for_each(|site| sum.merge(site));
        sum
    };
    let mut after = |job: Job| {
        quiet.run(job);
        told()
    };
    let (give_back, back) = mpsc::channel();
    let sum = after(Box::new(move || {
        poll(polled.as_mut());
        give_back.send(polled).expect("the test waits");
    }));
    assert_eq!((sum.poll.count(), sum.spawned), (1, 0), "a poll");
    let sum = after(Box::new(move || of_the_woken.wake()));
    assert_eq!(sum.wakes, 1, "a wake");
    // Of the test's own thread.
    drop(woken);
    after(Box::new(|| {}));
    let sum = after(Box::new(move || {
        let spawned = task("quiet-spawned").spawn_on(pending::<()>(), &spawner);
        give.send(spawned).expect("the test waits");
    }));
    assert_eq!((sum.spawned, sum.poll.count()), (1, 0), "a spawn");
    let sum = after(Box::new(move || drop(dropped)));
    assert_eq!((sum.cancelled, sum.life.count()), (1, 1), "a future that is dropped before its end");
    let sum = after(Box::new(move || drop(drops)));
    assert_eq!((sum.cancelled, sum.outcomes_left), (1, 1), "a task that a runtime drops");
    let sum = after(Box::new(move || drop(unpolled)));
    assert_eq!((sum.outcomes_taken, sum.poll.count()), (1, 0), "a handle that is dropped");
    let sum = after(Box::new(move || drop(outcome)));
    assert_eq!((sum.outcomes_taken, sum.poll.count()), (1, 0), "an outcome that is let go");
    let sum = after(Box::new(|| poll(pin!(async {}.traced("quiet-ended")))));
    assert_eq!((sum.spawned, sum.completed), (1, 1), "an end");

    // In a poll that goes on: its own beginning, and polls inside of it.
    let (inside, outside) = (mpsc::channel::<()>(), mpsc::channel::<()>());
    let (began, go_on) = (inside.0, outside.1);
    let done = quiet.begin(move || {
        let long = async move {
            began.send(()).expect("the test waits");
            go_on.recv().expect("the test goes on");
            poll(pin!(async {}.traced("quiet-inner")));
            began.send(()).expect("the test waits");
            go_on.recv().expect("the test goes on");
        };
        poll(pin!(long.traced("quiet-outer")));
    });
    inside.1.recv().expect("no panic");
    let mut told = || {
        let mut sum = SiteDelta::default();
        fold.drain.tick().sites.iter().for_each(|site| sum.merge(site));
        (sum.spawned, sum.poll.count())
    };
    assert_eq!(told(), (1, 0), "a task whose first poll goes on");
    outside.0.send(()).expect("it waits");
    inside.1.recv().expect("no panic");
    assert_eq!(told(), (1, 1), "a poll inside of it");
    outside.0.send(()).expect("it waits");
    done.recv().expect("no panic");
    assert_eq!(told(), (0, 1), "its end");
    assert_eq!(told(), (0, 0));
    drop((handle, spawns, back));
    quiet.end();
}

/// Counts when the thread's values are dropped, which they are in the opposite order of their first use.
struct CountLast;

impl Drop for CountLast {
    fn drop(&mut self) {
        poll(pin!(async {}.traced("quiet-last")));
    }
}

thread_local! {
    static COUNT_LAST: CountLast = const { CountLast };
}

fn count_last() {
    COUNT_LAST.with(|_| ());
}

#[test]
fn nothing_is_lost_at_a_threads_end() {
    const THREADS: u64 = 20;
    if !alone("report::drain::tests::quiet::nothing_is_lost_at_a_threads_end") {
        return;
    }
    record();
    for nth in 0..THREADS {
        // Its state is the second next one's, or folded into that of all that ended.
        // It counts its last before its state is given back, or after.
        let quiet = if nth % 2 == 0 { Quiet::start_with(count_last) } else { Quiet::start() };
        quiet.run(three_sites);
        if nth % 4 < 2 {
            drop(fold());
        }
        quiet.run(|| {
            three_sites();
            count_last();
        });
        if nth % 3 == 0 {
            drop(fold());
        }
        let site = fold().named("quiet-one")[0].site;
        count_in_secret(quiet.index, site);
        quiet.end();
    }
    let count = |fold: &Fold, name: &str| {
        let site = &fold.sites[&fold.named(name)[0].site];
        (site.spawned, site.completed, site.poll.count(), site.life.count())
    };
    fold_until("every thread's last poll", |fold| {
        (fold.named("quiet-last").len() as u64 == THREADS).then_some(())
    });
    let fold = fold();
    let each = 2 * THREADS;
    assert_eq!(
        count(&fold, "quiet-one"),
        (each + THREADS, each, each, each),
        "what was counted in secret, too"
    );
    assert_eq!(count(&fold, "quiet-two"), (each, each, each, each));
    assert_eq!(count(&fold, "quiet-last"), (THREADS, THREADS, THREADS, THREADS));
    assert_eq!(fold.losses.total(), 0);
}
