//! `blocking-poll` where a library spawns: each line of the user's is a finding of its own.

use super::*;
use crate::dict::{Frame, Stack};
use crate::entity::slow_poll::PollKind;
use crate::id::{StackId, TaskId};

/// Where axum spawns each connection.
const SERVE: &str = "axum-0.8.4/src/serve/mod.rs:389:9";
const MS: u64 = MILLISECOND;

/// A service that serves with a library.
struct Served {
    shop: Watched,
    task: TaskId,
}

impl Served {
    fn at(site: &str) -> Self {
        let mut shop = shop();
        let site = shop.script.site(site);
        let task = shop.script.spawn(site);
        shop.seconds(6);
        Self { shop, task }
    }

    fn stack(&mut self, function: &str, line: u32) -> StackId {
        let frame = |function: &str, file: Option<&str>, line| Frame {
            users: function.starts_with("shop::"),
            function: function.into(),
            file: file.map(Into::into),
            line,
        };
        let file = function.strip_prefix("shop::").and_then(|path| path.split("::").next());
        let file = file.filter(|_| line > 0).map(|module| format!("src/{module}.rs"));
        let frames = vec![
            frame("std::thread::sleep", None, 0),
            frame(function, file.as_deref(), line),
            frame("axum::handler::Handler::call", None, 0),
            frame("tokio::runtime::task::raw::poll", None, 0),
        ];
        self.shop.script.stack(Stack { frames, ..Stack::default() })
    }

    fn login_and_catalog(&mut self) -> (StackId, StackId) {
        (self.stack("shop::login::hash", 15), self.stack("shop::catalog::list", 31))
    }

    /// So many slow polls, one a tenth of a second, each of so many milliseconds.
    fn polls(&mut self, stack: Option<StackId>, polls: u64, ms: u64) {
        for _ in 0..polls {
            self.shop.script.pass(100 * MS);
            self.shop.script.slow_poll(self.task, ms * MS, MS, 0);
            self.shop.script.edit_slow_poll(|poll| poll.stack = stack);
        }
    }

    /// Polls that compute, the same way.
    fn busy_polls(&mut self, stack: StackId, polls: u64, ms: u64) {
        for _ in 0..polls {
            self.shop.script.pass(100 * MS);
            self.shop.script.slow_poll(self.task, ms * MS, ms * MS, 0);
            self.shop.script.edit_slow_poll(|poll| poll.stack = Some(stack));
        }
    }

    fn findings(&self) -> Vec<&Finding> {
        let findings = self.shop.findings().into_iter();
        findings.filter(|finding| &*finding.detector == "blocking-poll").collect()
    }

    /// Line, count and value in milliseconds of each finding.
    fn found(&self) -> Vec<(String, u64, u64)> {
        let ms = |finding: &Finding| finding.value.number().map_or(0, |ns| ns as u64 / MS);
        self.findings().iter().map(|one| (one.line.to_string(), one.count, ms(one))).collect()
    }

    fn finding(&self, line: &str) -> Finding {
        let findings = self.findings();
        let found = findings.iter().find(|finding| *finding.line == *line);
        (*found.unwrap_or_else(|| panic!("no finding at {line} among {:?}", self.found()))).clone()
    }
}

fn row(line: &str, count: u64, ms: u64) -> (String, u64, u64) {
    (line.to_owned(), count, ms)
}

#[test]
fn two_lines_at_one_site_of_a_library_are_two_findings() {
    let mut served = Served::at(SERVE);
    let (login, catalog) = served.login_and_catalog();
    served.polls(Some(login), 4, 40);
    served.polls(Some(catalog), 3, 20);
    served.shop.second();
    assert_eq!(served.found(), [row("src/login.rs:15", 4, 40), row("src/catalog.rs:31", 3, 20)]);
    let login = served.finding("src/login.rs:15");
    let catalog = served.finding("src/catalog.rs:31");
    assert_eq!((&*login.site, login.site == catalog.site), (SERVE, true));
    assert_eq!(&*login.stack[0], "shop::login::hash (src/login.rs:15)");
    assert_eq!(&*catalog.stack[0], "shop::catalog::list (src/catalog.rs:31)");
    assert_eq!(login.kind, Some(PollKind::Blocked));
    let fingerprint = "blocking-poll axum-0.8.4/src/serve/mod.rs in shop::";
    assert_eq!(*login.fingerprint, format!("{fingerprint}login::hash"));
    assert_eq!(*catalog.fingerprint, format!("{fingerprint}catalog::list"));
    let why =
        "4 slow polls were seen at login.rs:15. 7 of 7 polls at serve/mod.rs:389 were slow. The worst now:";
    assert!(login.why.starts_with(why), "{}", login.why);
}

#[test]
fn a_line_that_is_rare_beside_another_one_is_found_by_its_own_polls() {
    let mut served = Served::at(SERVE);
    let (login, catalog) = served.login_and_catalog();
    for _ in 0..3 {
        served.polls(Some(catalog), 1, 20);
        served.polls(Some(login), 40, 40);
        served.shop.second();
    }
    assert_eq!(served.found(), [row("src/login.rs:15", 120, 40), row("src/catalog.rs:31", 3, 20)]);
}

#[test]
fn a_site_of_the_users_own_is_one_finding_whatever_its_stacks_show() {
    let mut served = Served::at("src/server.rs:12:9");
    let (login, catalog) = served.login_and_catalog();
    served.polls(Some(login), 4, 40);
    served.polls(Some(catalog), 3, 20);
    served.shop.second();
    assert_eq!(served.found(), [row("", 7, 40)]);
}

#[test]
fn polls_without_a_stack_are_told_with_the_line_if_there_is_but_one() {
    let mut served = Served::at(SERVE);
    served.polls(None, 3, 60);
    served.shop.second();
    assert_eq!(served.found(), [row("", 3, 60)], "nothing was seen yet");
    let number = served.finding("").number;
    let login = served.stack("shop::login::hash", 15);
    served.polls(Some(login), 5, 40);
    served.polls(None, 3, 50);
    served.shop.second();
    assert_eq!(served.found(), [row("src/login.rs:15", 11, 50)], "the same finding, which has a line now");
    let found = served.finding("src/login.rs:15");
    assert_eq!((found.number, found.stack.len()), (number, 1));
    assert_eq!(&*found.fingerprint, "blocking-poll axum-0.8.4/src/serve/mod.rs in shop::login::hash");
    let why = "11 slow polls were at login.rs:15, as far as their stack was taken (5).";
    assert!(found.why.starts_with(why), "{}", found.why);
}

#[test]
fn polls_without_a_stack_stay_with_the_site_if_it_has_several_lines_and_are_told_by_themselves() {
    let mut served = Served::at(SERVE);
    let (login, catalog) = served.login_and_catalog();
    served.polls(Some(login), 4, 40);
    served.polls(Some(catalog), 4, 20);
    served.polls(None, 2, 70);
    served.shop.second();
    let lines = [row("src/login.rs:15", 4, 40), row("src/catalog.rs:31", 4, 20)];
    assert_eq!(served.found(), lines, "two polls are fewer than a finding needs");
    served.polls(None, 1, 70);
    served.shop.second();
    assert_eq!(served.found()[0], row("", 3, 70));
    assert_eq!(served.found()[1..], lines, "no poll is counted twice");
    let why = "3 slow polls showed no line of yours, beside those seen at login.rs:15 ×4, catalog.rs:31 ×4.";
    assert!(served.finding("").why.starts_with(why), "{}", served.finding("").why);
}

#[test]
fn polls_in_libraries_only_are_none_of_a_sole_lines() {
    let mut served = Served::at(SERVE);
    let (login, library) = (served.stack("shop::login::hash", 15), served.stack("h2::codec::read", 0));
    served.polls(Some(login), 4, 40);
    served.polls(Some(library), 3, 90);
    served.shop.second();
    assert_eq!(served.found(), [row("", 3, 90), row("src/login.rs:15", 4, 40)]);
}

#[test]
fn a_function_stands_for_its_line_where_none_is_known() {
    let mut served = Served::at(SERVE);
    let (login, catalog) = (served.stack("shop::login::hash", 0), served.stack("shop::catalog::list", 0));
    served.polls(Some(login), 3, 40);
    served.polls(Some(catalog), 3, 20);
    served.shop.second();
    assert_eq!(served.found(), [row("shop::login::hash", 3, 40), row("shop::catalog::list", 3, 20)]);
}

#[test]
fn more_lines_than_are_told_apart_stay_with_the_site_and_are_counted() {
    let mut served = Served::at(SERVE);
    for line in 1..=34 {
        let stack = served.stack("shop::login::hash", line);
        served.polls(Some(stack), 3, 20);
        if line % 10 == 0 {
            served.shop.second();
        }
    }
    served.shop.second();
    assert_eq!(served.found().len(), 33);
    assert_eq!(served.found()[0], row("", 6, 20));
    let why = served.finding("").why;
    assert!(why.contains("6 of them were at more lines than are told apart."), "{why}");
}

#[test]
fn a_line_closes_by_itself() {
    let mut served = Served::at(SERVE);
    let (login, catalog) = served.login_and_catalog();
    served.polls(Some(login), 3, 40);
    served.polls(Some(catalog), 3, 20);
    served.shop.second();
    for _ in 0..35 {
        served.polls(Some(catalog), 1, 20);
        served.shop.second();
    }
    let open: Vec<_> = served.findings().iter().map(|one| (one.line.to_string(), one.open)).collect();
    assert_eq!(open, [("src/login.rs:15".to_owned(), false), ("src/catalog.rs:31".to_owned(), true)]);
    assert_eq!(served.finding("src/catalog.rs:31").count, 38);
}

#[test]
fn a_function_that_computes_is_one_finding_at_whichever_of_its_lines_it_was_seen() {
    let mut served = Served::at(SERVE);
    for line in [36, 38, 37, 36] {
        let stack = served.stack("shop::catalog::list", line);
        served.busy_polls(stack, 2, 30);
    }
    served.shop.second();
    assert_eq!(served.found(), [row("src/catalog.rs:36", 8, 30)]);
    assert_eq!(served.finding("src/catalog.rs:36").kind, Some(PollKind::Busy));
}

#[test]
fn two_lines_of_one_function_that_block_are_two_findings() {
    let mut served = Served::at(SERVE);
    let (first, second) = (served.stack("shop::login::hash", 15), served.stack("shop::login::hash", 22));
    served.polls(Some(first), 3, 40);
    served.polls(Some(second), 3, 20);
    // It was awake for a moment only.
    let awake = served.stack("shop::login::hash", 16);
    let running = served.shop.script.name("running");
    served.polls(Some(awake), 1, 30);
    served.shop.script.edit_slow_poll(|poll| poll.waiting_in = Some(running));
    served.shop.second();
    assert_eq!(served.found(), [row("src/login.rs:15", 4, 40), row("src/login.rs:22", 3, 20)]);
}

/// What the page of sites says of the library's lines: line, polls and milliseconds in all.
fn lines_of(served: &Served) -> Vec<(String, u64, u64)> {
    let sites = Ask::Page(Query::all(Kind::Sites, 10));
    let answered = answer(&served.shop.world, &served.shop.engine, &sites, served.shop.script.now_unix_ns());
    let Answer::Page(page) = answered else { panic!("no page") };
    match page.rows[0].cell("lines") {
        Some(Value::Lines(lines)) => {
            lines.iter().map(|one| (one.line.to_string(), one.polls, one.total_ns / MS)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_librarys_site_lists_the_lines_by_the_time_that_they_took() {
    let mut served = Served::at(SERVE);
    let (login, catalog) = served.login_and_catalog();
    served.polls(None, 2, 90);
    served.polls(Some(catalog), 5, 5);
    served.polls(Some(login), 3, 40);
    served.shop.second();
    assert_eq!(lines_of(&served), [row("src/login.rs:15", 3, 120), row("src/catalog.rs:31", 5, 25)]);
    for line in 100..140 {
        let stack = served.stack("shop::login::hash", line);
        served.polls(Some(stack), 1, 5);
    }
    served.shop.second();
    let lines = lines_of(&served);
    assert_eq!(lines[..2], [row("src/login.rs:15", 3, 120), row("src/catalog.rs:31", 5, 25)]);
    assert_eq!((lines.len(), &lines[20]), (21, &row("", 22, 110)), "the rest, in one");

    let mut own = Served::at("src/server.rs:12:9");
    let login = own.stack("shop::login::hash", 15);
    own.polls(Some(login), 3, 40);
    own.shop.second();
    assert_eq!(lines_of(&own), []);
}
