//! Which file imports which: the paths in a crate's sources, resolved to its modules.
//!
//! Reads text only; it never asks the compiler. Comments, strings and everything under `#[cfg(test)]` are
//! skipped, and a path counts when it begins with `crate`, `self`, `super`, the crate's own name or a child
//! module. Called by the floors' rule and by the example `import_cycles`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A source file of one crate.
pub(crate) struct Source<'a> {
    /// Relative to the repository's root.
    pub(crate) path: &'a str,
    /// Its text.
    pub(crate) text: &'a str,
}

/// One path that a file names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Import {
    /// From 1.
    pub(crate) line: usize,
    /// Segments from the crate's root on, the item included.
    pub(crate) to: Vec<String>,
}

/// A module that is compiled outside of tests.
pub(crate) struct Module {
    /// Relative to the repository's root.
    pub(crate) path: String,
    /// Segments from the crate's root on; empty for the root itself.
    pub(crate) name: Vec<String>,
    /// What it names.
    pub(crate) imports: Vec<Import>,
    /// What its `use` declarations bring into scope: name and path.
    pub(crate) scope: Vec<(String, Vec<String>)>,
}

/// The modules of a crate whose sources lie in `folder` (`proto/model/src/`), tests left out.
pub(crate) fn modules(folder: &str, sources: &[Source<'_>]) -> Vec<Module> {
    let named: BTreeMap<Vec<String>, &Source<'_>> = sources
        .iter()
        .filter_map(|source| Some((name_of(source.path.strip_prefix(folder)?)?, source)))
        .collect();
    let mut read: BTreeMap<Vec<String>, Tokens> = BTreeMap::new();
    let mut tests: BTreeSet<Vec<String>> = BTreeSet::new();
    for (name, source) in &named {
        let tokens = Tokens::read(source.text);
        tests.extend(tokens.test_modules.iter().map(|child| joined(name, child)));
        read.insert(name.clone(), tokens);
    }
    // Models have their file by a path: a module named `loom` would hide the crate.
    let is_test = |name: &[String]| {
        (1..=name.len()).any(|length| {
            tests.contains(&name[..length]) || ["tests", "loom"].contains(&name[length - 1].as_str())
        })
    };
    read.into_iter()
        .filter(|(name, tokens)| !tokens.all_test && !is_test(name))
        .map(|(name, tokens)| {
            let known = |path: &[String]| named.contains_key(path);
            let (imports, scope) = paths(&name, &tokens.list, &known);
            Module { path: named[&name].path.to_owned(), name, imports, scope }
        })
        .collect()
}

/// The path with a re-export of the crate's root replaced by what it stands for.
pub(crate) fn through_root(modules: &[Module], path: &[String]) -> Vec<String> {
    let root = modules.iter().find(|module| module.name.is_empty());
    let is_module = modules.iter().any(|module| !path.is_empty() && module.name.first() == path.first());
    match root.and_then(|root| root.scope.iter().find(|(name, _)| Some(name) == path.first())) {
        Some((_, to)) if !is_module => to.clone(),
        _ => path.to_vec(),
    }
}

fn joined(name: &[String], child: &str) -> Vec<String> {
    name.iter().cloned().chain([child.to_owned()]).collect()
}

/// `world/fold.rs` is `world::fold`; programs beside the library are no modules of it.
fn name_of(file: &str) -> Option<Vec<String>> {
    let name = file.strip_suffix(".rs")?;
    let name: Vec<String> = name.split('/').map(str::to_owned).collect();
    match name.first().map(String::as_str) {
        Some("lib") if name.len() == 1 => Some(Vec::new()),
        Some("bin" | "generated") => None,
        Some("main") if name.len() == 1 => None,
        _ => Some(name),
    }
}

#[derive(Clone, PartialEq, Debug)]
enum Token {
    Word(String),
    /// `::`
    Path,
    Sign(char),
}

struct Tokens {
    list: Vec<(usize, Token)>,
    /// Modules in files of their own that only tests have.
    test_modules: Vec<String>,
    /// The whole file is compiled for tests only.
    all_test: bool,
}

impl Tokens {
    fn read(text: &str) -> Self {
        let all = tokens(&without_comments(text));
        let mut tokens = Self { list: Vec::new(), test_modules: Vec::new(), all_test: false };
        let mut at = 0;
        while at < all.len() {
            let Some(attribute) = attribute(&all, at) else {
                tokens.list.push(all[at].clone());
                at += 1;
                continue;
            };
            let inner = all.get(at + 1).is_some_and(|(_, token)| *token == Token::Sign('!'));
            let is_test = is_test_only(&all[attribute.clone()]);
            at = attribute.end;
            if is_test && inner {
                tokens.all_test = true;
            } else if is_test {
                let item = item(&all, at);
                let words = words(&all[item.clone()]);
                if let [.., "mod", name] = words.as_slice() {
                    tokens.test_modules.push((*name).to_owned());
                }
                at = item.end;
            }
        }
        tokens
    }
}

fn words(tokens: &[(usize, Token)]) -> Vec<&str> {
    tokens
        .iter()
        .filter_map(|(_, token)| if let Token::Word(word) = token { Some(word.as_str()) } else { None })
        .collect()
}

/// The attribute that begins at `at`, with its brackets.
fn attribute(all: &[(usize, Token)], at: usize) -> Option<Range<usize>> {
    let sign = |at: usize, sign: char| all.get(at).is_some_and(|(_, token)| *token == Token::Sign(sign));
    if !sign(at, '#') {
        return None;
    }
    let open = if sign(at + 1, '!') { at + 2 } else { at + 1 };
    sign(open, '[').then(|| at..closed(all, open))
}

/// `cfg(test)`, `cfg(all(test, …))`: not `cfg(any(test, …))`, which other builds have too.
fn is_test_only(attribute: &[(usize, Token)]) -> bool {
    matches!(
        words(attribute).as_slice(),
        ["cfg", "test"] | ["cfg", "all", "test", ..] | ["cfg", "all", "loom", "test"]
    )
}

/// The end of the brackets that open at `open`.
fn closed(all: &[(usize, Token)], open: usize) -> usize {
    let mut depth = 0;
    for (at, (_, token)) in all.iter().enumerate().skip(open) {
        match token {
            Token::Sign('(' | '[' | '{') => depth += 1,
            Token::Sign(')' | ']' | '}') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    all.len()
}

/// The item at `at`, further attributes included.
fn item(all: &[(usize, Token)], start: usize) -> Range<usize> {
    let mut at = start;
    while let Some(attribute) = attribute(all, at) {
        at = attribute.end;
    }
    let head = all[at..].iter().position(|(_, token)| matches!(token, Token::Sign('{' | ';' | '=')));
    let is_import = words(&all[at..head.map_or(all.len(), |head| at + head)]).contains(&"use");
    while at < all.len() {
        match &all[at].1 {
            // A field or an arm ends where the list goes on, or ends itself.
            Token::Sign(';' | ',') => return start..at + 1,
            Token::Sign('{') if !is_import => return start..closed(all, at),
            Token::Sign('}' | ')') => return start..at,
            Token::Sign('(' | '[' | '{') => at = closed(all, at),
            _ => at += 1,
        }
    }
    start..at
}

/// What a module names, and what its `use` declarations bring into scope.
fn paths(
    name: &[String],
    tokens: &[(usize, Token)],
    known: &dyn Fn(&[String]) -> bool,
) -> (Vec<Import>, Vec<(String, Vec<String>)>) {
    let (mut imports, mut scope) = (Vec::new(), Vec::new());
    // Modules written into the file, with the depth at which each ends.
    let mut inside: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while at < tokens.len() {
        let here: Vec<String> = name.iter().chain(inside.iter().map(|(inner, _)| inner)).cloned().collect();
        match &tokens[at].1 {
            Token::Sign('{') => depth += 1,
            Token::Sign('}') => {
                depth = usize::saturating_sub(depth, 1);
                if inside.last().is_some_and(|(_, end)| *end == depth) {
                    inside.pop();
                }
            }
            Token::Word(word) if word == "mod" => {
                if let [_, (_, Token::Word(inner)), (_, Token::Sign('{')), ..] = &tokens[at..] {
                    inside.push((inner.clone(), depth));
                }
            }
            Token::Word(word) if word == "use" => {
                let mut found = Vec::new();
                at = tree(tokens, at + 1, &[], &mut found);
                for (line, path, alias) in found {
                    let Some(to) = resolved(&here, &path, known) else { continue };
                    let last = alias.or_else(|| to.last().cloned()).unwrap_or_default();
                    scope.push((last, to.clone()));
                    imports.push(Import { line, to });
                }
                continue;
            }
            Token::Word(_) if at == 0 || tokens[at - 1].1 != Token::Path => {
                let (end, path) = plain(tokens, at);
                if path.len() > 1
                    && let Some(to) = resolved(&here, &path, known)
                {
                    imports.push(Import { line: tokens[at].0, to });
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    (imports, scope)
}

/// `a::b::c` as far as it goes.
fn plain(tokens: &[(usize, Token)], mut at: usize) -> (usize, Vec<String>) {
    let mut path = Vec::new();
    while let Some((_, Token::Word(word))) = tokens.get(at) {
        path.push(word.clone());
        at += 1;
        match (tokens.get(at), tokens.get(at + 1)) {
            (Some((_, Token::Path)), Some((_, Token::Word(_)))) => at += 1,
            _ => break,
        }
    }
    (at, path)
}

type Leaf = (usize, Vec<String>, Option<String>);

/// The leaves of a `use` tree that begins at `at`; returns where it ends.
fn tree(tokens: &[(usize, Token)], mut at: usize, prefix: &[String], found: &mut Vec<Leaf>) -> usize {
    if tokens.get(at).is_some_and(|(_, token)| *token == Token::Path) {
        at += 1;
    }
    let (mut end, path) = plain(tokens, at);
    let line = tokens.get(at).map_or(0, |(line, _)| *line);
    let mut whole = prefix.to_vec();
    // `{self}` is the path before it.
    whole.extend(path.into_iter().filter(|word| prefix.is_empty() || word != "self"));
    if tokens.get(end).is_some_and(|(_, token)| *token == Token::Path) {
        end += 1;
    }
    match tokens.get(end).map(|(_, token)| token) {
        Some(Token::Sign('{')) => {
            let close = closed(tokens, end);
            let mut at = end + 1;
            while at + 1 < close {
                at = tree(tokens, at, &whole, found);
                if tokens.get(at).is_some_and(|(_, token)| *token == Token::Sign(',')) {
                    at += 1;
                }
            }
            close
        }
        Some(Token::Sign('*')) => {
            found.push((line, whole, Some("*".to_owned())));
            end + 1
        }
        Some(Token::Word(word)) if word == "as" => {
            let alias = if let Some((_, Token::Word(alias))) = tokens.get(end + 1) { alias } else { "_" };
            found.push((line, whole, Some(alias.to_owned())));
            end + 2
        }
        _ => {
            found.push((line, whole, None));
            end.max(at + 1)
        }
    }
}

/// The path from the crate's root on; `None` for one that leads out of the crate or to a local item.
fn resolved(here: &[String], path: &[String], known: &dyn Fn(&[String]) -> bool) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    let mut base = match first.as_str() {
        "crate" => Vec::new(),
        "self" => here.to_vec(),
        "super" => here[..here.len().checked_sub(1)?].to_vec(),
        child if known(&joined(here, child)) => joined(here, child),
        _ => return None,
    };
    let mut rest = rest;
    while let Some((next, after)) = rest.split_first()
        && next == "super"
    {
        base.pop()?;
        rest = after;
    }
    base.extend(rest.iter().cloned());
    Some(base)
}

fn tokens(text: &str) -> Vec<(usize, Token)> {
    let mut list = Vec::new();
    let (mut line, mut chars) = (1, text.char_indices().peekable());
    while let Some((at, c)) = chars.next() {
        if c == '\n' {
            line += 1;
        } else if c.is_alphanumeric() || c == '_' {
            let mut end = at + c.len_utf8();
            while let Some((next, c)) = chars.next_if(|(_, c)| c.is_alphanumeric() || *c == '_') {
                end = next + c.len_utf8();
            }
            list.push((line, Token::Word(text[at..end].to_owned())));
        } else if c == ':' && chars.next_if(|(_, c)| *c == ':').is_some() {
            list.push((line, Token::Path));
        } else if !c.is_whitespace() {
            list.push((line, Token::Sign(c)));
        }
    }
    list
}

/// The text with comments, strings and characters blanked out; lines stay where they are.
fn without_comments(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let glued = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block(rest)
        } else if rest.starts_with('"') {
            quoted(rest)
        } else if !glued && let Some(length) = raw(rest) {
            length
        } else if rest.starts_with('\'') {
            character(rest)
        } else {
            0
        };
        if length == 0 {
            let c = rest.chars().next().unwrap_or(' ');
            plain.push(c);
            at += c.len_utf8();
        } else {
            plain.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            at += length;
        }
    }
    plain
}

fn block(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if here.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `r"…"`, `br#"…"#`.
fn raw(rest: &str) -> Option<usize> {
    let open = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = open.len() - open.trim_start_matches('#').len();
    let inner = open[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let begin = rest.len() - inner.len();
    Some(inner.find(&end).map_or(rest.len(), |at| begin + at + end.len()))
}

/// A character is blanked out, a lifetime is not.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            rest[2..].char_indices().skip(1).find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 3)
        }
        Some((at, c)) if rest[at + c.len_utf8()..].starts_with('\'') => at + c.len_utf8() + 1,
        _ => 0,
    }
}
