//! The grammar: what it takes, what it refuses and how it says so.

use proptest::prelude::*;

use super::*;

fn complaint(text: &str) -> String {
    check(Kind::Tasks, text).expect_err(text).to_string()
}

#[test]
fn what_the_manual_shows_is_taken() {
    for text in [
        "",
        "   ",
        "cart",
        "busy>1ms",
        "busy_ns>=1.5s !cart",
        "future_bytes>=16KiB",
        "state=idle",
        "STATE=Idle",
        "site~cart",
        "level>=warn",
        "flagged",
        "!flagged",
        "\"render cart\"",
        "name=\"render cart\"",
        "name=\"\"",
        "wakes!=null",
        "wakes=null",
        "polls>3k",
        "findings~leak",
        "conn{:51022}",
        "a->b",
        "src/cart.rs:88",
    ] {
        assert_eq!(check(Kind::Tasks, text), Ok(()), "{text}");
    }
    assert_eq!(check(Kind::Processes, "busy>90% uptime<1h"), Ok(()));
    assert_eq!(check(Kind::Findings, "count>=3 detector=blocking-poll"), Ok(()));
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_what_would_do() {
    let cases = [
        (
            "cart bsy>1ms",
            "at character 6: unknown field `bsy`, did you mean `busy`?; the fields of tasks are flag, process, id",
        ),
        ("busy>10", "at character 6: `10` does not fit `busy`: expected a duration such as 10ms"),
        ("busy>", "at character 6: `busy` wants a value"),
        ("size>=big", "at character 7: `big` does not fit `size`: expected a size such as 16KiB"),
        ("level>=bad", "expected allow, warn or deny"),
        ("!", "at character 2: expected a word or a comparison after `!`"),
        (">5ms", "at character 1: expected a field before `>`"),
        ("cart \"open", "at character 6: this quote is not closed"),
        ("polls>null", "null can be compared with = and != only"),
    ];
    for (text, part) in cases {
        let complaint = complaint(text);
        assert!(complaint.contains(part), "{text:?}: {complaint}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,40}", kind in 0usize..5) {
        let _ = check(Kind::ALL[kind], &text);
    }

    #[test]
    fn no_text_made_of_the_grammars_own_signs_panics(
        text in "[!=<>~\"a-c0-9 %:nulé]{0,24}", kind in 0usize..5,
    ) {
        let _ = check(Kind::ALL[kind], &text);
    }
}
