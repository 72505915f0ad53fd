//! The shop's customers: visitors that look at the catalogue and its prices, some that log in, order, or listen to
//! the news for a moment.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin shop_load -- 127.0.0.1:41234        # until it is stopped
//! cargo run -p pollscope-examples --bin shop_load -- 127.0.0.1:41234 10     # or for so many seconds
//! ```

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

type Failure = Box<dyn Error + Send + Sync>;
type Connection = SendRequest<Full<Bytes>>;

const PASSWORD: &str = "correct horse battery staple";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let (shop, seconds) = words()?;
    let mut customers = JoinSet::new();
    for product in 1..=6 {
        customers.spawn(visit(shop, product));
    }
    customers.spawn(log_in(shop));
    customers.spawn(order(shop));
    customers.spawn(listen(shop));
    let end = async {
        match seconds {
            Some(seconds) => sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = end => Ok(()),
        // None of them ends by itself.
        Some(ended) = customers.join_next() => ended?,
    }
}

async fn visit(shop: SocketAddr, product: u32) -> Result<(), Failure> {
    let mut connection = connect(shop).await?;
    loop {
        for path in ["/", "/catalog", &format!("/product/{product}"), &format!("/price/{product}"), "/health"]
        {
            ask(&mut connection, Method::GET, path, "").await?;
            sleep(Duration::from_millis(40)).await;
        }
    }
}

async fn log_in(shop: SocketAddr) -> Result<(), Failure> {
    let mut connection = connect(shop).await?;
    loop {
        ask(&mut connection, Method::POST, "/login", PASSWORD).await?;
        sleep(Duration::from_millis(200)).await;
    }
}

async fn order(shop: SocketAddr) -> Result<(), Failure> {
    let mut connection = connect(shop).await?;
    loop {
        ask(&mut connection, Method::POST, "/order", "one of product 7").await?;
        sleep(Duration::from_millis(50)).await;
    }
}

/// Each listener hears one piece of news and goes.
async fn listen(shop: SocketAddr) -> Result<(), Failure> {
    loop {
        let mut connection = connect(shop).await?;
        let request = Request::get("/events").header("host", "shop").body(Full::default())?;
        let mut news = connection.send_request(request).await?;
        if let Some(heard) = news.body_mut().frame().await {
            heard?;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

async fn connect(shop: SocketAddr) -> Result<Connection, Failure> {
    let (connection, driver) = handshake(TokioIo::new(TcpStream::connect(shop).await?)).await?;
    // Ends with the connection; what goes wrong is told by the request.
    tokio::spawn(driver);
    Ok(connection)
}

async fn ask(
    connection: &mut Connection,
    method: Method,
    path: &str,
    body: &'static str,
) -> Result<(), Failure> {
    let body = Full::new(Bytes::from_static(body.as_bytes()));
    let request = Request::builder().method(method).uri(path).header("host", "shop").body(body)?;
    let mut answer = connection.send_request(request).await?;
    while !answer.body().is_end_stream() {
        let Some(frame) = answer.body_mut().frame().await else { break };
        frame?;
    }
    Ok(())
}

/// The shop's address, and for how long.
#[expect(clippy::disallowed_methods, reason = "the rim: the program's own words")]
fn words() -> Result<(SocketAddr, Option<u64>), Failure> {
    let mut words = std::env::args().skip(1);
    let address =
        words.next().ok_or("the address that the shop says is missing: shop_load ADDRESS [SECONDS]")?;
    let shop = address.parse().map_err(|_| format!("`{address}` is no address such as 127.0.0.1:41234"))?;
    let seconds = words
        .next()
        .map(|seconds| seconds.parse().map_err(|_| format!("`{seconds}` is no number of whole seconds")));
    Ok((shop, seconds.transpose()?))
}
