//! As much of HTTP as a test needs.

use std::io::{Read, Write};
use std::net::TcpStream;

/// The body of the answer to one GET on a connection of its own.
///
/// # Panics
/// If there is no answer, or none with status 200.
pub(crate) fn get(authority: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(authority).unwrap_or_else(|error| panic!("{authority}: {error}"));
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("the request is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the answer comes");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    body.to_owned()
}
