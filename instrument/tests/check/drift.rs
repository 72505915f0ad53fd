//! The macros know the detectors' names by heart, since their crate depends on no other.

use pollscope_model::detect::ALL;

#[test]
fn the_macros_know_every_detector_and_no_other() {
    let source = include_str!("../../macros/src/detectors.rs");
    let known: Vec<_> =
        source.lines().filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\",")).collect();
    let there_are: Vec<_> = ALL.iter().map(|detector| detector.id).collect();
    assert_eq!(known, there_are);
}
