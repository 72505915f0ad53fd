//! Pages of the manual that are about no single detector, for `pollscope explain`. Only text.

/// One page.
pub(crate) struct Page {
    /// What `pollscope explain` calls it.
    pub(crate) name: &'static str,
    /// One line for the list.
    pub(crate) summary: &'static str,
    /// Markdown.
    pub(crate) text: &'static str,
}

/// Every page.
pub(crate) static PAGES: [Page; 4] = [
    Page {
        name: "ci",
        summary: "how to fail a build: GitHub Actions, GitLab, nextest; what to commit, how to exempt",
        text: include_str!("../../manual/ci.md"),
    },
    Page {
        name: "process",
        summary: "what pollscope takes of the process it runs in: threads, signals, descriptors, memory, files",
        text: include_str!("../../manual/process.md"),
    },
    Page {
        name: "remote",
        summary: "how to reach a process of another user, in a container, in a pod, on another machine",
        text: include_str!("../../manual/remote.md"),
    },
    Page {
        name: "unused-expectation",
        summary: "what a check says of an expectation that nothing fulfils",
        text: include_str!("../../manual/unused-expectation.md"),
    },
];

/// The page of that name.
pub(crate) fn page(name: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.name == name)
}

#[cfg(test)]
mod tests;
