//! Files that use each other, directly or through others. A room may have such cycles inside; two rooms may not.

use crate::imports::{Module, Source, modules};

/// The cycles between the files of a crate, each as the paths of its files.
pub(crate) fn cycles(folder: &str, sources: &[Source<'_>]) -> Vec<Vec<String>> {
    components(&modules(folder, sources))
}

/// The module that a path leads to: the deepest that is a prefix of it, through what it re-exports.
fn target<'m>(modules: &'m [Module], path: &[String]) -> Option<&'m Module> {
    let mut path = path.to_vec();
    for _ in 0..8 {
        let found = (0..=path.len())
            .rev()
            .find_map(|length| modules.iter().find(|module| module.name == path[..length]))?;
        let Some(item) = path.get(found.name.len()) else { return Some(found) };
        match found.scope.iter().find(|(name, _)| name == item) {
            Some((_, to)) if to.len() > found.name.len() && *to != path => path.clone_from(to),
            _ => return Some(found),
        }
    }
    None
}

/// The strongly connected components of more than one file.
fn components(modules: &[Module]) -> Vec<Vec<String>> {
    let index = |name: &[String]| modules.iter().position(|module| module.name == name);
    let next: Vec<Vec<usize>> = modules
        .iter()
        .map(|module| {
            module.imports.iter().filter_map(|import| index(&target(modules, &import.to)?.name)).collect()
        })
        .collect();
    let reach: Vec<Vec<bool>> = (0..modules.len()).map(|from| reached(from, &next)).collect();
    let mut done = vec![false; modules.len()];
    let mut cycles = Vec::new();
    for (from, reached) in reach.iter().enumerate() {
        let cycle: Vec<usize> =
            (from..modules.len()).filter(|to| !done[*to] && reached[*to] && reach[*to][from]).collect();
        if cycle.len() > 1 {
            for at in &cycle {
                done[*at] = true;
            }
            cycles.push(cycle.iter().map(|at| modules[*at].path.clone()).collect());
        }
    }
    cycles
}

fn reached(from: usize, next: &[Vec<usize>]) -> Vec<bool> {
    let mut reached = vec![false; next.len()];
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut reached[at], true) {
            open.extend(&next[at]);
        }
    }
    reached
}
