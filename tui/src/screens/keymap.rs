//! Keys as data: one [table](table::BINDINGS) that decides what a key does, what the key line and
//! the `?` menu say, and what `KEYS.md` documents.

pub mod key;
pub mod table;

use std::fmt::Write as _;

use crate::screens::action::Action;
use key::Key;
use table::{BINDINGS, Binding};

/// Where a key is pressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Context {
    /// The list of processes.
    Fleet = 1,
    /// A list of tasks.
    Tasks = 1 << 1,
    /// The list of sites.
    Sites = 1 << 2,
    /// The list of workers.
    Workers = 1 << 3,
    /// The list of findings.
    Findings = 1 << 4,
    /// One task.
    Task = 1 << 5,
    /// One site.
    Site = 1 << 6,
    /// One finding.
    Finding = 1 << 7,
    /// A menu.
    Menu = 1 << 8,
    /// A text laid over the screen.
    Text = 1 << 9,
    /// The command or filter line; keys without a binding are typed.
    Prompt = 1 << 10,
}

impl Context {
    /// Every context.
    pub const ALL: [Self; 11] = [
        Self::Fleet,
        Self::Tasks,
        Self::Sites,
        Self::Workers,
        Self::Findings,
        Self::Task,
        Self::Site,
        Self::Finding,
        Self::Menu,
        Self::Text,
        Self::Prompt,
    ];

    /// Its heading in the reference.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Fleet => "Fleet",
            Self::Tasks => "Tasks",
            Self::Sites => "Sites",
            Self::Workers => "Workers",
            Self::Findings => "Findings",
            Self::Task => "One task",
            Self::Site => "One site",
            Self::Finding => "One finding",
            Self::Menu => "Menus",
            Self::Text => "Texts",
            Self::Prompt => "Command and filter line",
        }
    }
}

/// What the key does there.
pub fn action(context: Context, key: Key) -> Option<Action> {
    bindings(context).find(|binding| binding.keys.contains(&key)).map(|binding| binding.action)
}

/// Every binding of the context, in the table's order.
pub fn bindings(context: Context) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(move |binding| binding.contexts & context as u16 != 0)
}

/// The keys of a binding as text: `j, Down`.
pub fn keys_text(binding: &Binding) -> String {
    let names: Vec<String> = binding.keys.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// The reference, `KEYS.md`.
pub fn reference() -> String {
    let mut text = String::from(
        "# Keys\n\n\
         Generated from the key table in `src/screens/keymap/table.rs`; a test keeps it true.\n\
         In the program, `?` lists the keys of the place you are in and runs them.\n\
         The mouse can do the same: click a tab, a row (again: open it) or a column head (sort), turn the wheel.\n",
    );
    for context in Context::ALL {
        let _ = write!(text, "\n## {}\n\n| key | does |\n|---|---|\n", context.title());
        for binding in bindings(context) {
            let keys: Vec<String> = binding.keys.iter().map(|key| format!("`{key}`")).collect();
            let _ = writeln!(text, "| {} | {} |", keys.join(" "), binding.help);
        }
    }
    text.push_str("\n## Commands\n\n| command | does |\n|---|---|\n");
    for command in crate::screens::state::command::COMMANDS {
        let _ = writeln!(text, "| `:{}` | {} |", command.usage(), command.help);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for context in Context::ALL {
            let keys: Vec<Key> = bindings(context).flat_map(|binding| binding.keys).copied().collect();
            for (index, key) in keys.iter().enumerate() {
                assert!(!keys[..index].contains(key), "{key} is bound twice in {context:?}");
            }
        }
    }

    #[test]
    fn every_key_on_a_key_line_works_where_it_is_shown() {
        for context in Context::ALL {
            for binding in bindings(context).filter(|binding| !binding.line.is_empty()) {
                let (keys, words) = binding.line.split_once(' ').expect("keys, then words");
                assert!(!words.is_empty());
                for name in keys.split('/').filter(|name| !name.is_empty()) {
                    let shown =
                        bindings(context).flat_map(|binding| binding.keys).any(|key| key.to_string() == name);
                    assert!(shown || keys == "/", "{name} is shown but not bound in {context:?}");
                }
            }
        }
    }

    #[test]
    fn the_way_out_and_the_help_are_everywhere() {
        for context in Context::ALL {
            assert_eq!(action(context, Key::ctrl('c')), Some(Action::QuitNow), "{context:?}");
            assert!(matches!(action(context, Key::ESC), Some(Action::Back | Action::Cancel)), "{context:?}");
            if !matches!(context, Context::Prompt | Context::Menu | Context::Text) {
                assert_eq!(action(context, Key::char('?')), Some(Action::Help), "{context:?}");
            }
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "asked for by hand, to renew what is committed")]
    fn the_reference_is_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/KEYS.md");
        if std::env::var_os("POLLSCOPE_BLESS").is_some() {
            std::fs::write(path, reference()).expect("KEYS.md is written");
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(written, reference(), "run the test with POLLSCOPE_BLESS=1 to write tui/KEYS.md anew");
    }
}
