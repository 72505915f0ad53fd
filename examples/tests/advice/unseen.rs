//! A task that is spawned past pollscope and left: told with its line where tokio tells of tasks, else only counted.

use std::future::pending;

use pollscope::check::Judged;
use pollscope_model::detect::advice::Advice;

use crate::case::{FAULT, MS, session, unknown};

const ID: &str = "task-leak/unseen";
/// The second is what builds with `--cfg tokio_unstable` try, the first those without.
pub(crate) const TRIED: (&str, &[&str]) = (ID, &["pollscope::spawn", "tokio_unstable", "await", "abort"]);

fn leaves(remedy: &'static str) -> Judged<()> {
    session("is spawned past pollscope").run(async move {
        match remedy {
            FAULT => drop(tokio::spawn(pending::<()>())),
            "pollscope::spawn" => drop(pollscope::spawn(pending::<()>())),
            "await" => tokio::spawn(tokio::time::sleep(MS)).await.expect("returns"),
            "abort" => {
                let task = tokio::spawn(pending::<()>());
                tokio::time::sleep(MS).await;
                task.abort();
            }
            other => unknown(other),
        }
    })
}

/// The fix and the site of the task that is left.
fn left(judged: &Judged<()>) -> (String, String) {
    let [finding] = &judged.verdict().findings[..] else { panic!("{}", judged.text()) };
    (finding.fix.to_string(), finding.site.to_string())
}

#[test]
fn what_nothing_sees_is_seen_by_either_remedy_and_ends_by_the_others() {
    let (fix, site) = left(&leaves(FAULT));
    let unseen = Advice::of(ID).expect("the text").text();
    if site.is_empty() {
        assert_eq!(fix, unseen);
    } else {
        assert_ne!(fix, unseen, "a build with `--cfg tokio_unstable` knows its line");
        assert!(site.contains("advice/unseen.rs:"), "{site}");
    }
    let (fix, site) = left(&leaves("pollscope::spawn"));
    assert_ne!(fix, unseen);
    assert!(site.contains("advice/unseen.rs:"), "{site}");
    for remedy in ["await", "abort"] {
        let judged = leaves(remedy);
        assert!(judged.verdict().findings.is_empty(), "{remedy}: {}", judged.text());
    }
}
