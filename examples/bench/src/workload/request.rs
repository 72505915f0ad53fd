//! Requests to an axum router without a network: what a layer adds to a request, and nothing else.

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::Request;
use axum::routing::get;
use tower_service::Service;

use super::Spawner;

/// Asks one route after the other, each answered at once; an operation is a request.
pub async fn ask<S: Spawner>(spawner: &S, ops: u64) {
    let app = Router::new().route("/price/{id}", get(price)).route("/cart/{id}/items", get(price));
    let mut app: Router = spawner.layer(app);
    let task = spawner.spawn(async move {
        for nth in 0..ops {
            let path = if nth % 2 == 0 { "/price/7" } else { "/cart/7/items" };
            let request = Request::get(path).body(Body::empty()).expect("a request");
            let answer = app.call(request).await.expect("a router always answers");
            assert!(answer.status().is_success());
        }
    });
    task.await;
}

async fn price(Path(id): Path<u32>) -> &'static str {
    if id == 7 { "7" } else { "none" }
}
