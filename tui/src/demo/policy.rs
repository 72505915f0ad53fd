//! The demo's policy: the same rules as anywhere, with the waits of the slow ones cut short, so that
//! no user has to look at a demo for five minutes. It travels in the service's greeting and is printed
//! on standard error.

use super::fault::Fault;

/// The text of the policy.
pub(super) const TEXT: &str = r#"# The demo's policy: the rules that look at minutes look at seconds here.
[detectors.forgotten-task]
idle = "8s"
lone = "8s"

[detectors.task-leak]
window = "8s"
"#;

/// What the text changes, in a few words.
const SHORTENED: &str = "forgotten-task after 8s, task-leak over 8s";

/// What is printed on standard error when the service starts.
pub(crate) fn notice(faults: &[Fault]) -> String {
    let names: Vec<&str> = faults.iter().map(|fault| fault.name).collect();
    let on = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!("pollscope demo: faults on: {on}; its own policy shortens the waits of slow rules: {SHORTENED}")
}

#[cfg(test)]
mod tests {
    use pollscope_model::policy::Policy;

    use super::*;

    #[test]
    fn the_policy_is_understood_and_shortens_what_it_says() {
        let (demo, usual) = (Policy::parse(TEXT).expect("it is sound"), Policy::default());
        for id in ["forgotten-task", "task-leak"] {
            assert!(SHORTENED.contains(id));
            assert_ne!(demo.rule_of(id), usual.rule_of(id));
        }
        let changed =
            pollscope_model::detect::ALL.iter().filter(|d| demo.rule_of(d.id) != usual.rule_of(d.id));
        assert_eq!(changed.count(), 2, "a rule is changed and not named");
    }
}
