//! Pages: exact counts, order, filter, and errors that help.

use proptest::prelude::*;

use super::super::run::{Rows, Texts, page as run_page};
use super::*;
use crate::query::column::Field;
use crate::query::page::{Meta, RowId};

fn tasks(filter: &str, sort: &[(&str, bool)], offset: u64, limit: u64) -> Query {
    let sort = sort
        .iter()
        .map(|(column, descending)| Sort { column: (*column).to_owned(), descending: *descending });
    Query {
        kind: Kind::Tasks,
        scope: Scope::All,
        filter: filter.to_owned(),
        sort: sort.collect(),
        offset,
        limit,
    }
}

fn ids(page: &Page) -> Vec<u64> {
    page.rows
        .iter()
        .map(|row| match &row.id {
            RowId::Task(_, id) => id.0,
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn trouble_comes_first_and_what_is_over_last() {
    let shop = shop();
    let page = shop.page(tasks("", &[], 0, 1_000));
    assert_eq!((page.total, page.matched, page.rows.len()), (101, 101, 101));
    let ids = ids(&page);
    assert_eq!((ids[0], ids[100]), (shop.slow.0, shop.over.0));
    let busy: Vec<_> =
        page.rows[1..100].iter().map(|row| cell(Kind::Tasks, &row.cells, "busy_ns").number()).collect();
    assert!(busy.is_sorted_by(|a, b| a >= b), "{busy:?}");
    assert_eq!(page.rows[0].level, Some(Level::Deny));
    assert_eq!(cell(Kind::Tasks, &page.rows[0].cells, "flag"), Value::text("!L"));
    assert_eq!(cell(Kind::Tasks, &page.rows[100].cells, "flag"), Value::text("-"));
}

#[test]
fn counts_are_exact_on_every_page_and_pages_join_without_seam() {
    let shop = shop();
    let whole = ids(&shop.page(tasks("conn", &[("polls", true)], 0, 1_000)));
    assert_eq!(whole.len(), 100);
    let mut joined = Vec::new();
    for offset in (0..100).step_by(7) {
        let page = shop.page(tasks("conn", &[("polls", true)], offset, 7));
        assert_eq!((page.total, page.matched, page.offset), (101, 100, offset));
        joined.extend(ids(&page));
    }
    assert_eq!(joined, whole);
    let past = shop.page(tasks("conn", &[], 5_000, 10));
    assert_eq!((past.matched, past.rows.len()), (100, 0));
    assert_eq!(shop.page(tasks("", &[], 0, 0)).matched, 101);
}

#[test]
fn filters_select_what_they_say() {
    let shop = shop();
    let matched = |filter: &str| shop.page(tasks(filter, &[], 0, 0)).matched;
    let cases = [
        ("cart", 1),
        ("RENDER", 1),
        ("rndcrt", 1),
        ("!cart", 100),
        ("busy>1ms", 1),
        ("busy>=1ms", 2),
        ("busy<=1ms", 100),
        ("polls>90 polls<=95", 5),
        ("state=completed", 1),
        ("state!=completed", 100),
        ("site~serve", 100),
        ("site=src/cart.rs:88:9", 1),
        ("name=conn{:51000}", 1),
        ("name=\"conn{:51000}\"", 1),
        ("51007", 1),
        ("level>=warn", 1),
        ("level=warn", 0),
        ("flagged", 1),
        ("!flagged", 100),
        ("findings=blocking-poll", 1),
        ("findings!=null", 1),
        ("findings=null", 100),
        ("current_poll=null", 101),
        ("size=512B", 101),
        ("parent=1", 100),
        ("checkout#1", 101),
        ("http cart", 1),
        ("group=http !state=completed", 100),
        ("nothing_like_it", 0),
    ];
    for (filter, expected) in cases {
        assert_eq!(matched(filter), expected, "{filter}");
    }
}

#[test]
fn what_was_not_measured_sorts_last_both_ways() {
    let shop = shop();
    for descending in [true, false] {
        let page = shop.page(tasks("", &[("parent", descending), ("id", false)], 0, 1_000));
        assert_eq!(ids(&page).last(), Some(&shop.slow.0));
    }
}

#[test]
fn a_question_that_cannot_be_answered_says_what_would() {
    let shop = shop();
    let no = |ask: Ask| match shop.ask(&ask) {
        Answer::No(why) => why.to_string(),
        other => panic!("{other:?}"),
    };
    let why = no(Ask::Page(tasks("", &[("bussy", true)], 0, 1)));
    assert!(why.contains("cannot sort tasks by `bussy`, did you mean `busy`?; they sort by flag"), "{why}");
    let why = no(Ask::Page(tasks("bsy>1ms", &[], 0, 1)));
    assert!(why.contains("character 1") && why.contains("did you mean `busy`?"), "{why}");
    assert!(no(Ask::Task(shop.script.boot(), TaskId(9_999))).contains("task 9999 of checkout#1"));
    assert!(no(Ask::Overview(Scope::Process(BootId(1)))).contains("is not known here"));
    assert!(no(Ask::Site(Scope::All, "src/nowhere.rs:1:1".into())).contains("src/nowhere.rs:1:1"));
    assert!(no(Ask::Finding(99)).contains("finding 99"));
}

#[test]
fn sites_of_several_processes_are_one_row() {
    let mut shop = shop();
    let mut twin = Script::of(crate::testkit::hello("checkout", 101));
    let site = twin.site("src/serve.rs:40:5");
    let task = twin.spawn(site);
    twin.poll(task, 50, MILLISECOND);
    shop.world.connect(twin.hello(), 0).unwrap();
    shop.world.apply(twin.second(), 0);
    let page = shop.page(Query { filter: "serve".to_owned(), ..Query::all(Kind::Sites, 10) });
    assert_eq!((page.total, page.matched), (2, 1));
    let get = |key| cell(Kind::Sites, &page.rows[0].cells, key);
    assert_eq!(
        (get("procs"), get("alive"), get("spawned")),
        (Value::Count(2), Value::Count(100), Value::Count(101))
    );
    assert_eq!(get("polls"), Value::Count(5_050 + 50));
    assert_eq!(get("max_poll_ns"), Value::Nanos(MILLISECOND));
    let alone = shop.page(Query {
        scope: Scope::Process(twin.boot()),
        filter: "serve".to_owned(),
        ..Query::all(Kind::Sites, 10)
    });
    assert_eq!(cell(Kind::Sites, &alone.rows[0].cells, "polls"), Value::Count(50));
    assert_eq!(alone.meta.source.as_ref(), "checkout#2");
}

#[test]
fn workers_and_processes_say_what_they_do() {
    let shop = shop();
    let page = shop.page(Query::all(Kind::Workers, 10));
    let get = |row: usize, key| cell(Kind::Workers, &page.rows[row].cells, key);
    assert_eq!((get(0, "state"), get(1, "state")), (Value::text("parked"), Value::text("polling")));
    assert_eq!(get(1, "polling"), Value::text(format!("{} render_cart", shop.slow)));
    assert_eq!(get(1, "polling_site"), Value::text("src/cart.rs:88:9"));
    assert_eq!(get(1, "polling_for_ns"), Value::Nanos(500 * MILLISECOND));
    assert_eq!(get(0, "runtime"), Value::text("main"));
    assert!(matches!(get(0, "busy"), Value::Ratio(share) if (0.29..0.31).contains(&share)));
    assert_eq!(get(0, "local_queue"), Value::Null);
    let page = shop.page(Query::all(Kind::Processes, 10));
    let get = |key| cell(Kind::Processes, &page.rows[0].cells, key);
    assert_eq!((get("health"), get("findings")), (Value::text("!!"), Value::Count(1)));
    assert_eq!((get("name"), get("process")), (Value::text("checkout"), Value::text("checkout#1")));
    assert_eq!((get("tasks"), get("state")), (Value::Count(100), Value::text("live")));
    assert_eq!(get("uptime_ns"), Value::Nanos(SECOND));
}

/// A row that is a number.
struct Number(u64, Option<u64>);

impl Rows for Number {
    const DEFAULT_ORDER: &'static [(&'static str, bool)] = &[("polls", true)];

    fn id(&self) -> RowId {
        RowId::Finding(self.0)
    }

    fn level(&self) -> Option<Level> {
        None
    }

    fn rank(&self) -> u8 {
        0
    }

    fn by_id(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }

    fn texts(&self, _: &mut Texts<'_>) -> bool {
        true
    }
}

proptest! {
    /// The partial selection must give what sorting everything would.
    #[test]
    fn a_page_is_a_slice_of_the_whole_order(
        values in prop::collection::vec(prop::option::of(0u64..6), 0..60),
        offset in 0u64..70, limit in 0u64..70, descending in any::<bool>(),
    ) {
        let get: fn(&Number) -> Value = |row| row.1.map_or(Value::Null, Value::Count);
        let fields: Vec<_> =
            columns(Kind::Tasks).into_iter().map(|column| Field { column: *column, get }).collect();
        let rows = || values.iter().enumerate().map(|(id, value)| Number(id as u64, *value));
        let query = tasks("", &[("polls", descending)], offset, limit);
        let page = run_page(&query, Meta::default(), &fields, rows).unwrap();
        let mut whole: Vec<Number> = rows().collect();
        whole.sort_by_key(|row| {
            let value = row.1.map(|value| if descending { 10 - value } else { value });
            (value.is_none(), value, row.0)
        });
        let expected: Vec<u64> =
            whole.iter().skip(offset as usize).take(limit as usize).map(|row| row.0).collect();
        let got: Vec<u64> = page
            .rows
            .iter()
            .map(|row| if let RowId::Finding(id) = row.id { id } else { u64::MAX })
            .collect();
        prop_assert_eq!(got, expected);
        prop_assert_eq!(page.matched, values.len() as u64);
    }
}
