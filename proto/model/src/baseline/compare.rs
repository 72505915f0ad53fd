//! Compares a run with the runs of a baseline, site by site.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Baseline;
use super::comparison::{Change, Compared, Comparison, Figure, Measured, SiteName};
use super::identity::{Pairing, Place, SiteKey, pair};
use super::judge::{self, ComparedFigure, Preemption, SPREAD};
use super::load::unlike;
use super::run::{Load, ProcessRun, Run, SiteRun};
use crate::hist::Hist;

/// A site of a base run with the load of its process.
type Past<'a> = (&'a Load, &'a SiteRun);

pub(super) fn compare(baseline: &Baseline, head: &Run) -> Comparison {
    let mut told = Comparison { runs: baseline.runs.len() as u64, ..Comparison::default() };
    if baseline.runs.len() < SPREAD {
        told.note(format!(
            "The base has {} of the {SPREAD} runs that it takes to know how much runs differ: only what is \
             {:.2} times as long or more is told as regressed.",
            baseline.runs.len(),
            judge::RATIO * judge::RATIO
        ));
    }
    for (name, process) in &head.processes {
        compare_process(&mut told, baseline, head, name, process);
    }
    let known: BTreeSet<&Arc<str>> = baseline.runs.iter().flat_map(|run| run.processes.keys()).collect();
    if head.processes.len() != 1 || known.len() != 1 {
        for name in known.into_iter().filter(|name| !head.processes.contains_key(*name)) {
            told.note(format!("`{name}` is in the base and was not recorded in this run."));
        }
    }
    told.figures.sort_by(|a, b| (a.change, a.figure, &a.site).cmp(&(b.change, b.figure, &b.site)));
    told.new.sort();
    told.vanished.sort();
    told
}

impl Comparison {
    fn note(&mut self, text: String) {
        self.notes.push(text.into());
    }
}

fn compare_process(
    told: &mut Comparison,
    baseline: &Baseline,
    head: &Run,
    name: &Arc<str>,
    process: &ProcessRun,
) {
    let only = head.processes.len() == 1;
    let past: Vec<&ProcessRun> = baseline.runs.iter().filter_map(|run| run.process(name, only)).collect();
    let like: Vec<&ProcessRun> =
        past.iter().copied().filter(|past| past.machine.is_like(&process.machine)).collect();
    let other = past.last().filter(|_| like.is_empty());
    if past.is_empty() {
        told.note(format!("The base has no run of `{name}`: all of its sites are new."));
    }
    if let Some(other) = other {
        told.note(format!(
            "The base's runs of `{name}` are of another class of machine or build ({}) than this one ({}): \
             nothing is compared. Accept a run of this class into the baseline.",
            other.machine, process.machine
        ));
    }
    for left_out in like.iter().chain([&process]).map(|side| side.left_out).filter(|sites| *sites > 0) {
        told.note(format!("{left_out} sites of `{name}` with few polls are over the limit and left out."));
    }
    let (from, polls) = (told.figures.len(), process.polls());
    for (key, sites) in &process.sites {
        let matched = partners(&like, key, sites);
        for (site, found) in sites.iter().zip(matched) {
            let site_name = SiteName::new(name, key, site.place, sites.len() > 1);
            let unsure = |reason: String| Compared {
                site: site_name.clone(),
                figure: Figure::Poll,
                change: Change::Insufficient,
                base: None,
                head: Measured {
                    n: site.poll.count(),
                    value: site.poll.quantile(0.99).unwrap_or(0),
                    bounds: None,
                },
                reason: reason.into(),
                suspect: false,
            };
            match found {
                Partner::Past(past) => {
                    figures(&mut told.figures, &site_name, &past, site, (&process.load, polls));
                }
                Partner::Unclear { base } => told.figures.push(unsure(format!(
                    "base has {base} sites `{key}` and this run {}: it cannot be told which is which; give their \
                     tasks names with `pollscope::task(…)`",
                    sites.len()
                ))),
                Partner::NoSite if other.is_some_and(|other| other.sites.contains_key(key)) => {
                    told.figures.push(unsure("base was recorded on another class of machine or build".to_owned()));
                }
                Partner::NoSite => told.new.push(site_name),
            }
        }
    }
    doubt_what_follows(&mut told.figures[from..]);
    gone(told, &like, name, process);
}

/// What base knows of a site of head.
enum Partner<'a> {
    Past(Vec<Past<'a>>),
    Unclear { base: usize },
    NoSite,
}

/// For each of head's sites of one key, the same in the base runs.
fn partners<'a>(runs: &[&'a ProcessRun], key: &SiteKey, sites: &[SiteRun]) -> Vec<Partner<'a>> {
    let mut found: Vec<Partner<'a>> = sites.iter().map(|_| Partner::NoSite).collect();
    let now = places(sites);
    for run in runs {
        let Some(before) = run.sites.get(key) else { continue };
        match pair(&places(before), &now) {
            Pairing::Pairs(pairs) => {
                for (base, head) in pairs {
                    let past = (&run.load, &before[base]);
                    match &mut found[head] {
                        Partner::Past(all) => all.push(past),
                        none => *none = Partner::Past(vec![past]),
                    }
                }
            }
            Pairing::Unclear => {
                for none in found.iter_mut().filter(|found| !matches!(found, Partner::Past(_))) {
                    *none = Partner::Unclear { base: before.len() };
                }
            }
        }
    }
    found
}

fn places(sites: &[SiteRun]) -> Vec<Place> {
    sites.iter().map(|site| site.place).collect()
}

/// Every figure of one site that both sides have.
fn figures(
    told: &mut Vec<Compared>,
    name: &SiteName,
    past: &[Past<'_>],
    site: &SiteRun,
    (load, polls): (&Load, u64),
) {
    let mut put = |figure, judged: ComparedFigure| {
        let ComparedFigure { change, base, head, reason, suspect } = judged;
        let reason = reason.into();
        told.push(Compared { site: name.clone(), figure, change, base, head, reason, suspect });
    };
    let loads: Vec<Load> = past.iter().map(|(load, _)| **load).collect();
    let sites: Vec<&SiteRun> = past.iter().map(|(_, site)| *site).collect();
    let hists: Vec<&Hist> = sites.iter().map(|site| &site.poll).collect();
    let preemption = Preemption::of(site, &loads, load, polls);
    put(Figure::Poll, judge::p99(Figure::Poll, &hists, &site.poll, Some(preemption)));
    let sched = |site: &'_ SiteRun| site.sched.clone();
    if let Some(judged) = under_load(Figure::Sched, past, site, load, sched) {
        put(Figure::Sched, judged);
    }
    if let Some(judged) = under_load(Figure::Life, past, site, load, |site| Some(site.life.clone())) {
        put(Figure::Life, judged);
    }
    if let Some(judged) = judge::left(&sites, site) {
        put(Figure::Left, judged);
    }
    if let Some(judged) = judge::self_wakes(&sites, site) {
        put(Figure::SelfWakes, judged);
    }
}

/// A figure that depends on the load: only base runs of a like load are compared with.
fn under_load(
    figure: Figure,
    past: &[Past<'_>],
    site: &SiteRun,
    load: &Load,
    of: impl Fn(&SiteRun) -> Option<Hist>,
) -> Option<ComparedFigure> {
    let head = of(site)?;
    let before: Vec<(&Load, Hist)> =
        past.iter().filter_map(|(load, site)| Some((*load, of(site)?))).collect();
    if before.is_empty() || (head.is_empty() && before.iter().all(|(_, hist)| hist.is_empty())) {
        return None;
    }
    let mut why = None;
    let like: Vec<&Hist> = before
        .iter()
        .filter(|(base, hist)| {
            let unlike = unlike(base, load, (hist.count(), head.count()));
            let alike = unlike.is_none();
            why = unlike.or(why.take());
            alike
        })
        .map(|(_, hist)| hist)
        .collect();
    if !like.is_empty() {
        return Some(judge::p99(figure, &like, &head, None));
    }
    let all: Vec<&Hist> = before.iter().map(|(_, hist)| hist).collect();
    let judged = judge::p99(figure, &all, &head, None);
    let reason = format!("depends on the load: {}", why.unwrap_or_default());
    Some(ComparedFigure { suspect: false, ..ComparedFigure::insufficient(judged.base, judged.head, reason) })
}

/// Tasks wait longer, and live longer, where polls got slower: that is told of the polls. Only while
/// none of them is in doubt a wait or a life may count for itself.
fn doubt_what_follows(figures: &mut [Compared]) {
    let slower = |figure: &&Compared| {
        figure.figure == Figure::Poll && (figure.change == Change::Regressed || figure.suspect)
    };
    let worst = figures.iter().filter(slower).min_by_key(|figure| figure.change);
    let follows =
        worst.map(|worst| Arc::from(format!("it may only follow from slower polls of {}", worst.site)));
    for figure in figures {
        let derived = matches!(figure.figure, Figure::Sched | Figure::Life);
        if let Some(follows) = follows.as_ref().filter(|_| derived && figure.change == Change::Regressed) {
            figure.change = Change::Insufficient;
            figure.reason = Arc::clone(follows);
        }
    }
}

/// Sites of the base runs that head does not know.
fn gone(told: &mut Comparison, runs: &[&ProcessRun], name: &Arc<str>, head: &ProcessRun) {
    // The newest run that knows a key speaks for it.
    let mut before: BTreeMap<&SiteKey, &Vec<SiteRun>> = BTreeMap::new();
    for run in runs {
        before.extend(&run.sites);
    }
    for (key, sites) in before {
        let now = head.sites.get(key).map(|sites| places(sites)).unwrap_or_default();
        let Pairing::Pairs(pairs) = pair(&places(sites), &now) else { continue };
        for (index, site) in sites.iter().enumerate() {
            if !pairs.iter().any(|(base, _)| *base == index) {
                told.vanished.push(SiteName::new(name, key, site.place, sites.len() > 1));
            }
        }
    }
}
