//! What all detectors have in common.

use super::*;

#[test]
fn every_detector_has_a_whole_manual() {
    for detector in ALL {
        let text = explain(detector.id).expect("every detector is in the table");
        for part in [&text.what, &text.why, &text.evidence, &text.fix, &text.false_alarms] {
            assert!(part.len() > 40, "{}: {text:?}", detector.id);
            assert!(!part.contains("//!"), "{}: {part}", detector.id);
        }
        assert!(detector.source.starts_with(&format!("//! {}: ", detector.id)), "{}", detector.id);
        assert!(text.summary.ends_with('.') && text.summary.len() < 90, "{}", text.summary);
        assert_eq!(text.limits.len(), detector.limits.len());
        assert!(detector.whole.is_some() || detector.tasks.is_some());
        for limit in detector.limits {
            let key = format!("`{}`", limit.key);
            let named =
                [&text.what, &text.evidence, &text.false_alarms].iter().any(|part| part.contains(&key));
            assert!(named, "{}: the manual does not mention `{}`", detector.id, limit.key);
        }
    }
    assert!(explain("no-such-detector").is_none());
}

#[test]
fn ids_and_letters_are_unique_and_found() {
    for (index, detector) in ALL.iter().enumerate() {
        assert_eq!(index_of(detector.id), Some(index));
        assert_eq!(ALL.iter().position(|other| other.letter == detector.letter), Some(index));
    }
}
