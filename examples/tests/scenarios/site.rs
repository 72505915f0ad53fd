//! What stands at a site.

use std::path::Path;

/// Whether the site is the line of `axum_service` that spawns a task for each request.
pub(crate) fn is_audit(site: &str) -> bool {
    site.contains("bin/axum_service.rs") && spawns_at(site)
}

/// Whether the line of a site of ours spawns.
pub(crate) fn spawns_at(site: &str) -> bool {
    line_at(site).contains("spawn")
}

/// What stands on that line; empty if the file is shorter.
pub(crate) fn line_at(site: &str) -> String {
    let mut parts = site.rsplitn(3, ':').skip(1);
    let line: usize = parts.next().and_then(|line| line.parse().ok()).expect("a site has a line");
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(parts.next().expect("a site has a path"));
    let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    source.lines().nth(line - 1).unwrap_or_default().to_owned()
}
