//! Exports of a made-up recording, and of damaged ones.
