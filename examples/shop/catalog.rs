//! What there is to buy, in SQLite: each query in the blocking pool, as it should be.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use rusqlite::Connection;

use crate::Shop;

pub(crate) fn open() -> rusqlite::Result<Connection> {
    let store = Connection::open_in_memory()?;
    store.execute_batch(
        "CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
         WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 500)
         INSERT INTO product SELECT n, 'product ' || n FROM number;",
    )?;
    Ok(store)
}

pub(crate) async fn list(State(shop): State<Shop>) -> Result<String, StatusCode> {
    in_pool(shop.catalog, |store| {
        let mut names = store.prepare_cached("SELECT name FROM product LIMIT 20")?;
        let names: Result<Vec<String>, _> = names.query_map([], |row| row.get(0))?.collect();
        Ok(names?.join("\n"))
    })
    .await
}

pub(crate) async fn product(Path(id): Path<u32>, State(shop): State<Shop>) -> Result<String, StatusCode> {
    in_pool(shop.catalog, move |store| {
        store.prepare_cached("SELECT name FROM product WHERE id = ?")?.query_row([id], |row| row.get(0))
    })
    .await
}

/// Runs a query where it is in no task's way.
pub(crate) async fn in_pool<T: Send + 'static>(
    store: Arc<Mutex<Connection>>,
    query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, StatusCode> {
    let result =
        tokio::task::spawn_blocking(move || query(&store.lock().unwrap_or_else(PoisonError::into_inner)));
    result.await.ok().and_then(Result::ok).ok_or(StatusCode::INTERNAL_SERVER_ERROR)
}
