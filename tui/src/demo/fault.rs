//! The demo's faults: one table that drives `--fault`, its help and the scenarios, one file each.

mod blocking;
mod cpu;
mod forgotten;
mod leak;
mod lost_waker;
mod panic;
mod self_wake;
mod starve;
mod tail;
mod work;

use clap::builder::PossibleValue;

use super::shop::Plan;

/// A fault that can be switched on.
#[derive(Clone, Copy)]
pub struct Fault {
    /// Its name for `--fault`.
    pub name: &'static str,
    /// The detector that must find it.
    pub detector: &'static str,
    /// What goes wrong, in one line.
    pub about: &'static str,
    install: fn(&mut Plan),
}

impl Fault {
    /// Changes the service's plan so that the fault is there.
    pub(super) fn install(&self, plan: &mut Plan) {
        (self.install)(plan);
    }
}

impl std::fmt::Debug for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Every fault.
pub const ALL: [Fault; 9] = [
    Fault {
        name: "blocking",
        detector: "blocking-poll",
        about: "a handler that sleeps its thread inside a poll, now and then",
        install: blocking::install,
    },
    Fault {
        name: "cpu",
        detector: "blocking-poll",
        about: "a handler that computes for 150 ms inside a poll, now and then",
        install: cpu::install,
    },
    Fault {
        name: "forgotten",
        detector: "forgotten-task",
        about: "a task that waits for a signal that never comes",
        install: forgotten::install,
    },
    Fault {
        name: "lost-waker",
        detector: "lost-waker",
        about: "a future that is pending and kept no waker",
        install: lost_waker::install,
    },
    Fault {
        name: "self-wake",
        detector: "self-wake-storm",
        about: "a future that wakes itself in a loop instead of waiting",
        install: self_wake::install,
    },
    Fault {
        name: "leak",
        detector: "task-leak",
        about: "tasks that are spawned and never end",
        install: leak::install,
    },
    Fault {
        name: "starve",
        detector: "sched-delay",
        about: "bursts of computing tasks, each poll short, that keep all others waiting",
        install: starve::install,
    },
    Fault {
        name: "tail",
        detector: "tail-latency",
        about: "a handler that takes 3 ms, but 120 ms for one request in twenty",
        install: tail::install,
    },
    Fault {
        name: "panic",
        detector: "swallowed-panic",
        about: "tasks that panic after their handle was dropped",
        install: panic::install,
    },
];

/// A value of `--fault`.
#[derive(Clone, Copy, Debug)]
pub enum Choice {
    /// Every fault.
    All,
    /// Explicitly none.
    None,
    /// This one.
    One(Fault),
}

impl Choice {
    /// Clap's parser: knows every name, and lists them where one is wrong.
    pub fn parser() -> clap::builder::ValueParser {
        use clap::builder::TypedValueParser as _;
        let values = ALL.iter().map(|fault| PossibleValue::new(fault.name).help(fault.about));
        let values = values.chain([
            PossibleValue::new("all").help("every fault"),
            PossibleValue::new("none").help("no fault"),
        ]);
        clap::builder::PossibleValuesParser::new(values).map(|name| Self::from_name(&name)).into()
    }

    fn from_name(name: &str) -> Self {
        match ALL.into_iter().find(|fault| fault.name == name) {
            Some(fault) => Self::One(fault),
            None if name == "all" => Self::All,
            None => Self::None,
        }
    }

    /// The value that stands for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::None => "none",
            Self::One(fault) => fault.name,
        }
    }
}

/// The faults that the choices add up to, each once, in the table's order.
pub fn chosen(choices: &[Choice]) -> Vec<Fault> {
    let all = choices.iter().any(|choice| matches!(choice, Choice::All));
    let named =
        |name| choices.iter().any(|choice| matches!(choice, Choice::One(fault) if fault.name == name));
    ALL.into_iter().filter(|fault| all || named(fault.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_add_up_to_each_fault_once() {
        let names = |choices: &[&str]| -> Vec<&str> {
            let choices: Vec<_> = choices.iter().map(|name| Choice::from_name(name)).collect();
            chosen(&choices).iter().map(|fault| fault.name).collect()
        };
        assert_eq!(names(&[]), [""; 0]);
        assert_eq!(names(&["none"]), [""; 0]);
        assert_eq!(names(&["tail", "blocking", "tail"]), ["blocking", "tail"]);
        assert_eq!(names(&["tail", "all"]).len(), ALL.len());
    }
}
