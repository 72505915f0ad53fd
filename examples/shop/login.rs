//! Passwords: argon2 with its default parameters, some 20 ms on a server's CPU.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{self, PasswordHasher, PasswordVerifier};
use axum::extract::State;
use axum::http::StatusCode;

use crate::Shop;

pub(crate) fn hashed(password: &str) -> Result<String, password_hash::Error> {
    Ok(Argon2::default().hash_password(password.as_bytes())?.to_string())
}

/// The fault: the worker computes and polls nothing else meanwhile.
pub(crate) async fn in_handler(State(shop): State<Shop>, password: String) -> StatusCode {
    answer(is_right(&password, &shop.password))
}

/// Repaired: a thread of the blocking pool computes.
pub(crate) async fn in_pool(State(shop): State<Shop>, password: String) -> StatusCode {
    let expected = Arc::clone(&shop.password);
    let verified = tokio::task::spawn_blocking(move || is_right(&password, &expected));
    answer(verified.await.unwrap_or(false))
}

fn is_right(password: &str, expected: &str) -> bool {
    PasswordHash::new(expected)
        .is_ok_and(|expected| Argon2::default().verify_password(password.as_bytes(), &expected).is_ok())
}

fn answer(is_right: bool) -> StatusCode {
    if is_right { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
}
