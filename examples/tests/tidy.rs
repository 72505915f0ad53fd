//! The house rules that no compiler checks, as tests: which package and which room may know which, how
//! large a file may grow, what a room may be called, what text does not belong in the repository.
//!
//! Each rule is one small function from a file to complaints; a complaint names the place and the
//! remedy. `tidy/samples.rs` shows every rule a bad sample, so that a rule that stopped working is
//! noticed.

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/floors.rs"]
mod floors;
#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/layout.rs"]
mod layout;
#[path = "tidy/manual.rs"]
mod manual;
#[path = "tidy/persons.rs"]
mod persons;
#[path = "tidy/rooms.rs"]
mod rooms;
#[path = "tidy/samples.rs"]
mod samples;
#[path = "tidy/statics.rs"]
mod statics;
#[path = "tidy/text.rs"]
mod text;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/writers.rs"]
mod writers;

use std::fmt;

use tree::File;

/// What is wrong, where, and what to do about it.
struct Complaint {
    path: String,
    /// From 1; 0 for the file as a whole.
    line: usize,
    what: String,
    remedy: &'static str,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}; {}", self.what, self.remedy)
    }
}

/// Looks at one file. Files that the rule does not concern get no complaint.
type Rule = fn(&File) -> Vec<Complaint>;

/// Every rule that looks at one file at a time.
const RULES: &[Rule] = &[
    arrows::members_depend_on_what_the_table_allows,
    rooms::the_engine_names_no_detector,
    layout::files_stay_small,
    layout::rooms_have_names_that_say_what_they_are,
    layout::modules_say_what_they_are,
    text::wire_types_stay_in_proto,
    text::terminal_types_stay_in_the_drawing_rooms,
    text::only_the_recorder_asks_for_unstable_tokio,
    text::only_the_recorder_knows_loom,
    text::unsafe_stays_in_the_recorder_with_its_reason,
    text::own_threads_are_started_in_one_room,
    text::fix_texts_stand_in_one_table,
    text::nothing_is_left_unfinished,
    text::the_repository_speaks_of_the_project_alone,
    manual::links_lead_somewhere,
];

#[test]
fn the_house_is_tidy() {
    let files = tree::read();
    assert!(files.len() > 40, "only {} files were found: the walk is broken", files.len());
    let mut complaints: Vec<String> = files
        .iter()
        .flat_map(|file| RULES.iter().flat_map(|rule| rule(file)))
        .map(|complaint| complaint.to_string())
        .collect();
    complaints.extend(arrows::every_member_is_in_the_table(&files).iter().map(ToString::to_string));
    complaints.extend(rooms::imports_lead_downwards(&files).iter().map(ToString::to_string));
    complaints.extend(manual::the_root_holds_what_a_newcomer_needs(&files).iter().map(ToString::to_string));
    complaints.extend(persons::counts_of_persons_only_fall(&files).iter().map(ToString::to_string));
    complaints.extend(statics::few_things_are_process_wide(&files).iter().map(ToString::to_string));
    complaints.extend(writers::every_writer_is_in_the_list(&files).iter().map(ToString::to_string));
    complaints.sort();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
