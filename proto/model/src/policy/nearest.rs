//! Which known name somebody probably meant.

/// The known name nearest to `wrong`, if one is near enough to be a slip of the fingers.
pub(super) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (wrong.chars().count() / 3).max(2);
    known
        .into_iter()
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Insertions, removals and replacements that turn one text into the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replace = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood_and_strangers_are_not() {
        let known = ["blocking-poll", "stuck-poll", "task-leak"];
        assert_eq!(nearest("blocking-pol", known), Some("blocking-poll"));
        assert_eq!(nearest("blockin_poll", known), Some("blocking-poll"));
        assert_eq!(nearest("taskleak", known), Some("task-leak"));
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest("memory", known), None);
    }
}
