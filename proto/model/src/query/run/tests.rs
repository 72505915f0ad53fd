//! However a page is cut out, it is what sorting everything would have given.

use std::cmp::Ordering;

use proptest::prelude::*;

use super::*;
use crate::query::column::{Field, Kind};
use crate::query::page::{Scope, Sort};
use crate::value::Value;

/// A task's stand-in: the columns of tasks that are tested, with few different values.
#[derive(Clone, Debug)]
struct Item {
    id: u64,
    rank: u8,
    busy: Option<u64>,
    name: &'static str,
}

impl Rows for Item {
    const DEFAULT_ORDER: &'static [(&'static str, bool)] = &[("flag", true), ("busy_ns", true)];

    fn id(&self) -> RowId {
        RowId::Finding(self.id)
    }

    fn level(&self) -> Option<Level> {
        (self.rank > 2).then_some(Level::Warn)
    }

    fn rank(&self) -> u8 {
        self.rank
    }

    fn by_id(&self, other: &Self) -> Ordering {
        self.id.cmp(&other.id)
    }

    fn texts(&self, texts: &mut Texts<'_>) -> bool {
        texts.short(self.name)
    }
}

type Get = fn(&Item) -> Value;

fn fields() -> Vec<Field<Get>> {
    let get = |key: &str| -> Get {
        match key {
            "busy_ns" => |item| item.busy.map_or(Value::Null, Value::Nanos),
            "name" => |item| Value::text(item.name),
            "id" => |item| Value::Count(item.id),
            _ => |_| Value::Null,
        }
    };
    columns(Kind::Tasks).into_iter().map(|column| Field { column: *column, get: get(column.key) }).collect()
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let names = prop_oneof![Just("render_cart"), Just("listener"), Just("")];
    let item = (0u8..5, prop::option::of(0u64..6), names);
    prop::collection::vec(item, 0..120).prop_map(|items| {
        let item = |(at, (rank, busy, name))| Item { id: at as u64 * 7 % 121, rank, busy, name };
        items.into_iter().enumerate().map(item).collect()
    })
}

fn query() -> impl Strategy<Value = Query> {
    let column = prop_oneof![Just("flag"), Just("busy"), Just("name"), Just("id"), Just("kind")];
    let sort =
        (column, any::<bool>()).prop_map(|(column, descending)| Sort { column: column.into(), descending });
    let filter =
        prop_oneof![2 => Just(""), 1 => Just("cart"), 1 => Just("busy>2ns"), 1 => Just("!busy>=1ns")];
    let numbers = (prop_oneof![0u64..130, Just(u64::MAX)], prop_oneof![0u64..40, Just(u64::MAX)]);
    (prop::collection::vec(sort, 0..4), filter, numbers).prop_map(|(sort, filter, (offset, limit))| Query {
        kind: Kind::Tasks,
        scope: Scope::All,
        filter: filter.to_owned(),
        sort,
        offset,
        limit,
    })
}

/// The whole order, one key after the other, as the columns say.
fn naive(items: &[Item], query: &Query) -> Vec<u64> {
    let keep = |item: &&Item| match query.filter.as_str() {
        "" => true,
        "cart" => item.name == "render_cart",
        "busy>2ns" => item.busy.is_some_and(|busy| busy > 2),
        _ => item.busy.is_none_or(|busy| busy < 1),
    };
    let missing_last = |a: Option<u64>, b: Option<u64>, descending: bool| match (a, b) {
        (Some(a), Some(b)) if descending => b.cmp(&a),
        (Some(a), Some(b)) => a.cmp(&b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    let name = |item: &Item| ["", "listener", "render_cart"].iter().position(|n| *n == item.name);
    let number = |item: &Item, column: &str| match column {
        "flag" => Some(u64::from(item.rank)),
        "busy" => item.busy,
        "id" => Some(item.id),
        "name" => name(item).filter(|at| *at > 0).map(|at| at as u64),
        _ => None,
    };
    let default =
        [Sort { column: "flag".into(), descending: true }, Sort { column: "busy".into(), descending: true }];
    let sort = if query.sort.is_empty() { &default[..] } else { &query.sort };
    let mut all: Vec<&Item> = items.iter().filter(keep).collect();
    all.sort_by(|a, b| {
        let by =
            |sort: &Sort| missing_last(number(a, &sort.column), number(b, &sort.column), sort.descending);
        sort.iter().map(by).find(|ordering| ordering.is_ne()).unwrap_or_else(|| a.id.cmp(&b.id))
    });
    all.into_iter().map(|item| item.id).collect()
}

proptest! {
    #[test]
    fn a_page_is_a_piece_of_the_sorted_whole(items in items(), query in query(), kept in 0u64..200) {
        let page = page_keeping(kept, &query, Meta::default(), &fields(), || items.iter().cloned())
            .expect("a query that can be run");
        let whole = naive(&items, &query);
        prop_assert_eq!((page.total, page.matched), (items.len() as u64, whole.len() as u64));
        let skip = usize::try_from(query.offset).unwrap_or(usize::MAX);
        let take = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let expected: Vec<RowId> = whole.into_iter().skip(skip).take(take).map(RowId::Finding).collect();
        let rows: Vec<RowId> = page.rows.into_iter().map(|row| row.id).collect();
        prop_assert_eq!(rows, expected);
    }
}
