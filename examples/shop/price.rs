//! Prices by what was sold: a query of some 20 ms over a table of sales, behind one lock.

use std::sync::PoisonError;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use rusqlite::Connection;

use crate::{Shop, catalog};

pub(crate) fn open() -> rusqlite::Result<Connection> {
    let store = Connection::open_in_memory()?;
    store.execute_batch(
        "CREATE TABLE sale (product INTEGER NOT NULL, cents INTEGER NOT NULL);
         WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 500000)
         INSERT INTO sale SELECT n % 500, 100 + n % 977 FROM number;",
    )?;
    Ok(store)
}

/// The fault: the worker waits for the lock, then keeps all others waiting while the database computes.
pub(crate) async fn in_handler(Path(id): Path<u32>, State(shop): State<Shop>) -> Result<String, StatusCode> {
    let store = shop.prices.lock().unwrap_or_else(PoisonError::into_inner);
    price(&store, id).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

/// Repaired: threads of the blocking pool wait for the lock.
pub(crate) async fn in_pool(Path(id): Path<u32>, State(shop): State<Shop>) -> Result<String, StatusCode> {
    catalog::in_pool(shop.prices, move |store| price(store, id)).await
}

fn price(store: &Connection, id: u32) -> rusqlite::Result<String> {
    let mut mean = store.prepare_cached("SELECT avg(cents) FROM sale WHERE product = ?")?;
    let cents: f64 = mean.query_row([id], |row| row.get(0))?;
    Ok(format!("{cents:.0}\n"))
}
