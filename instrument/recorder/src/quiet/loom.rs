//! Every interleaving of tasks that bear tasks and end, and one who wants their session's number.

use loom::sync::Arc;
use loom::thread;

use super::super::claims::Claims;
use super::super::tally::Tally;
use super::is_quiet;

/// The records of a session, in the order in which they are looked at, and what one thread bore.
struct Session {
    records: [Claims; 2],
    births: Tally,
}

impl Session {
    /// One task is alive, in the record that is looked at last.
    fn with_one() -> Arc<Self> {
        let session = Self { records: [Claims::none(), Claims::none()], births: Tally::default() };
        session.bear(1);
        Arc::new(session)
    }

    /// As a birth: counted, then claimed.
    fn bear(&self, at: usize) {
        self.births.add(1);
        self.records[at].born(1, 1, 0);
    }

    /// As a task's end without a waiting join handle.
    fn end(&self, at: usize) {
        if self.records[at].give_up(1) == 0 {
            self.records[at].free();
        }
    }

    fn is_quiet(&self) -> bool {
        is_quiet(|| !self.records.iter().any(Claims::is_claimed), || self.births.get())
    }
}

/// It bears another, in a record that may have been looked at already, and ends: there is always one.
#[test]
fn loom_a_session_whose_task_bears_another_is_never_quiet() {
    loom::model(|| {
        let session = Session::with_one();
        let tasks = {
            let session = Arc::clone(&session);
            thread::spawn(move || {
                session.bear(0);
                session.end(1);
            })
        };
        assert!(!session.is_quiet(), "its number would go to another while a task of it lives");
        tasks.join().expect("no panic");
        assert!(!session.is_quiet());
    });
}

/// The last may end at any time; then it is quiet, and stays so.
#[test]
fn loom_a_session_is_quiet_once_its_last_task_has_ended() {
    loom::model(|| {
        let session = Session::with_one();
        let tasks = {
            let session = Arc::clone(&session);
            thread::spawn(move || {
                session.bear(0);
                session.end(1);
                session.end(0);
            })
        };
        let was_quiet = session.is_quiet();
        tasks.join().expect("no panic");
        assert!(session.is_quiet(), "before: {was_quiet}");
    });
}
