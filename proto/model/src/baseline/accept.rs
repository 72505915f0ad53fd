//! Accepting a run's figures, and forgetting sites that are no more.

use std::collections::BTreeMap;

use super::Baseline;
use super::comparison::{Change, Compared, Figure, SiteName};
use super::identity::{Pairing, Place, pair};
use super::run::{ProcessRun, Run};

/// What accepting a run changed.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Accepted {
    /// Figures that got worse or better, with what they were and are.
    pub changed: Vec<Compared>,
    /// Sites that the baseline did not know.
    pub new: Vec<SiteName>,
    /// Sites that gained a run.
    pub gained: usize,
}

/// What pruning removed.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Pruned {
    /// Sites that the recordings do not know.
    pub sites: Vec<SiteName>,
    /// Processes that they do not know.
    pub processes: Vec<std::sync::Arc<str>>,
}

impl Baseline {
    /// Accepts a run.
    ///
    /// Sites whose time did not change gain a run, which sharpens what is known of their spread. Of sites
    /// that changed the old figures are forgotten: they are another code's. With `only` nothing else
    /// than the sites that it picks is taken.
    pub fn accept(&mut self, mut run: Run, only: Option<&dyn Fn(&SiteName) -> bool>) -> Accepted {
        let comparison = self.compare(&run);
        let picked = |site: &SiteName| only.is_none_or(|only| only(site));
        let is_change = |figure: &&Compared| match figure.change {
            Change::Regressed => true,
            // A shorter delay or life says that there was less to do, which is no other code.
            Change::Improved => figure.figure == Figure::Poll,
            // By name: a site that was asked for gives its figures, known to differ or not.
            Change::Insufficient | Change::Unchanged => only.is_some() && figure.figure == Figure::Poll,
        };
        let changed: Vec<Compared> = comparison
            .figures
            .iter()
            .filter(is_change)
            .filter(|figure| picked(&figure.site))
            .cloned()
            .collect();
        let new: Vec<SiteName> = comparison.new.into_iter().filter(&picked).collect();
        if only.is_some() {
            let wanted: Vec<SiteName> =
                changed.iter().map(|figure| figure.site.clone()).chain(new.iter().cloned()).collect();
            keep(&mut run, |site| wanted.contains(site));
        }
        let forgotten: Vec<SiteName> = changed.iter().map(|figure| figure.site.clone()).collect();
        let mut gained = run.sites();
        for old in &mut self.runs {
            forget(old, &run, &forgotten);
        }
        gained = gained.saturating_sub(new.len());
        self.add(run);
        Accepted { changed, new, gained }
    }

    /// Forgets the sites and processes that none of the recordings knows.
    pub fn prune(&mut self, seen: &Run) -> Pruned {
        let mut pruned = Pruned::default();
        for run in &mut self.runs {
            let only = run.processes.len() == 1 && seen.processes.len() == 1;
            run.processes.retain(|name, process| {
                let found =
                    seen.processes.get(name).or_else(|| seen.processes.values().next().filter(|_| only));
                let Some(found) = found else {
                    pruned.processes.push(name.clone());
                    return false;
                };
                prune_sites(name, process, found, &mut pruned.sites);
                true
            });
        }
        self.runs.retain(|run| !run.is_empty());
        pruned.sites.sort();
        pruned.sites.dedup_by(|a, b| (&a.process, &a.key, &a.place) == (&b.process, &b.key, &b.place));
        pruned.processes.sort();
        pruned.processes.dedup();
        pruned
    }
}

fn prune_sites(
    name: &std::sync::Arc<str>,
    process: &mut ProcessRun,
    seen: &ProcessRun,
    pruned: &mut Vec<SiteName>,
) {
    for (key, sites) in &mut process.sites {
        let now: Vec<Place> = seen.sites.get(key).into_iter().flatten().map(|site| site.place).collect();
        let before: Vec<Place> = sites.iter().map(|site| site.place).collect();
        // Where it cannot be told which is which, none is forgotten.
        let Pairing::Pairs(pairs) = pair(&before, &now) else { continue };
        let mut index = 0;
        sites.retain(|site| {
            let stays = pairs.iter().any(|(left, _)| *left == index);
            if !stays {
                pruned.push(SiteName::new(name, key, site.place, before.len() > 1));
            }
            index += 1;
            stays
        });
    }
    process.sites.retain(|_, sites| !sites.is_empty());
}

/// Leaves only the sites that are picked.
fn keep(run: &mut Run, picked: impl Fn(&SiteName) -> bool) {
    for (name, process) in &mut run.processes {
        for (key, sites) in &mut process.sites {
            let several = sites.len() > 1;
            sites.retain(|site| picked(&SiteName::new(name, key, site.place, several)));
        }
        process.sites.retain(|_, sites| !sites.is_empty());
    }
    run.processes.retain(|_, process| !process.sites.is_empty());
}

/// Forgets what an old run knows of those sites of a newer one.
fn forget(old: &mut Run, newer: &Run, sites: &[SiteName]) {
    let mut wanted: BTreeMap<&str, Vec<&SiteName>> = BTreeMap::new();
    for site in sites {
        wanted.entry(&site.process).or_default().push(site);
    }
    let only = old.processes.len() == 1 && newer.processes.len() == 1;
    for (name, sites) in wanted {
        let Some(now) = newer.processes.get(name) else { continue };
        let name = if only { old.processes.keys().next().cloned() } else { Some(name.into()) };
        let Some(process) = name.and_then(|name| old.processes.get_mut(&name)) else { continue };
        for (key, before) in &mut process.sites {
            let key_text = key.to_string();
            let after: Vec<Place> = now.sites.get(key).into_iter().flatten().map(|site| site.place).collect();
            let places: Vec<Place> = before.iter().map(|site| site.place).collect();
            let Pairing::Pairs(pairs) = pair(&places, &after) else { continue };
            let is_wanted = |place: Place| {
                let place = format!("{}:{place}", key.file);
                sites.iter().any(|site| *site.key == key_text && *site.place == place)
            };
            let mut index = 0;
            before.retain(|_| {
                let partner = pairs.iter().find(|(left, _)| *left == index).map(|(_, right)| after[*right]);
                index += 1;
                !partner.is_some_and(is_wanted)
            });
        }
        process.sites.retain(|_, sites| !sites.is_empty());
    }
}
