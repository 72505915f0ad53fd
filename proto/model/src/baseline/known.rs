//! Findings that were accepted: they are told, and fail nothing.

use std::sync::Arc;

use super::{Baseline, MAX_KNOWN};
use crate::finding::Finding;
use crate::level::Level;

/// What stands between a fingerprint and the function that was running, if one was seen.
const IN: &str = " in ";

impl Baseline {
    /// Whether the finding was accepted, at its level or a worse one.
    ///
    /// Whether a function was seen running is luck: where one side names none, the rest of the
    /// fingerprint decides.
    pub fn knows(&self, finding: &Finding) -> bool {
        let fingerprint = &finding.fingerprint;
        let enough = |accepted: &Level| *accepted >= finding.level;
        if self.known.get(fingerprint).is_some_and(enough) {
            return true;
        }
        if let Some((plain, _)) = fingerprint.rsplit_once(IN) {
            return self.known.get(plain).is_some_and(enough);
        }
        let start = format!("{fingerprint}{IN}");
        let from = self.known.range(Arc::from(start.as_str())..);
        from.take_while(|(known, _): &(&Arc<str>, _)| known.starts_with(start.as_str()))
            .any(|(_, level)| enough(level))
    }

    /// Accepts a finding. `false` if it was accepted before, at its level or a worse one, or finds no room.
    pub fn accept_finding(&mut self, finding: &Finding) -> bool {
        if finding.level == Level::Allow || self.knows(finding) {
            return false;
        }
        let fingerprint: Arc<str> = finding.fingerprint.clone();
        if self.known.len() >= MAX_KNOWN && !self.known.contains_key(&fingerprint) {
            return false;
        }
        self.known.insert(fingerprint, finding.level);
        true
    }

    /// Forgets what was accepted and is in none of the findings; returns it.
    pub fn prune_findings(&mut self, findings: &[Finding]) -> Vec<Arc<str>> {
        let mut gone = Vec::new();
        let plain = |text: &str| text.split(IN).next().unwrap_or_default().to_owned();
        let found: std::collections::BTreeSet<String> =
            findings.iter().map(|finding| plain(&finding.fingerprint)).collect();
        self.known.retain(|fingerprint, _| {
            let stays = found.contains(&plain(fingerprint));
            if !stays {
                gone.push(fingerprint.clone());
            }
            stays
        });
        gone
    }
}
