//! What the Firefox Profiler shows of a poll, a slow poll and a finding. Numbers of it that were not
//! measured are no fields of a marker that has to have all of its fields, so a slow poll says them in words.

use fxprof_processed_profile::{
    CategoryHandle, MarkerFieldFlags, MarkerFieldFormat, MarkerLocations, Profile, StaticSchemaMarker,
    StaticSchemaMarkerField, StringHandle,
};
use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::finding::Finding;
use pollscope_model::time::Nanos;

use crate::export::index::ExportIndex;
use crate::export::trace::Poll;

const EVERYWHERE: MarkerLocations = MarkerLocations::MARKER_CHART
    .union(MarkerLocations::MARKER_TABLE)
    .union(MarkerLocations::TIMELINE_OVERVIEW);

const fn text(key: &'static str, label: &'static str) -> StaticSchemaMarkerField {
    let (format, flags) = (MarkerFieldFormat::String, MarkerFieldFlags::SEARCHABLE);
    StaticSchemaMarkerField { key, label, format, flags }
}

/// A poll.
#[derive(Clone, Copy, Debug)]
pub(super) struct Polled {
    name: StringHandle,
    category: CategoryHandle,
    task: StringHandle,
    site: StringHandle,
}

impl Polled {
    pub(super) fn new(
        profile: &mut Profile,
        index: &ExportIndex,
        poll: &Poll<'_>,
        category: CategoryHandle,
    ) -> Self {
        Self {
            name: profile.intern_string(&index.task_name(poll.task, poll.site)),
            category,
            task: profile.intern_string(&format!("#{}", poll.task)),
            site: profile.intern_string(&index.dictionary.site_text(poll.site)),
        }
    }
}

impl StaticSchemaMarker for Polled {
    const UNIQUE_MARKER_TYPE_NAME: &'static str = "poll";
    const DESCRIPTION: Option<&'static str> = Some("One poll of a task.");
    const LOCATIONS: MarkerLocations = EVERYWHERE;
    const CHART_LABEL: Option<&'static str> = Some("{marker.name} {marker.data.task}");
    const TABLE_LABEL: Option<&'static str> = Some("{marker.data.task} {marker.data.site}");
    const FIELDS: &'static [StaticSchemaMarkerField] = &[text("task", "Task"), text("site", "Spawned at")];

    fn name(&self, _: &mut Profile) -> StringHandle {
        self.name
    }

    fn category(&self, _: &mut Profile) -> CategoryHandle {
        self.category
    }

    fn string_field_value(&self, field: u32) -> StringHandle {
        if field == 0 { self.task } else { self.site }
    }

    fn number_field_value(&self, _: u32) -> f64 {
        0.0
    }
}

/// A poll over the limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlowPolled {
    poll: Polled,
    split: StringHandle,
    harm: StringHandle,
}

impl SlowPolled {
    pub(super) fn new(profile: &mut Profile, poll: Polled, index: &ExportIndex, slow: &SlowPoll) -> Self {
        let mut split = match (slow.busy_ns, slow.blocked_ns(), slow.preempted_ns) {
            (Some(busy), Some(blocked), Some(preempted)) => {
                format!("{} busy, {} blocked, {} preempted", Nanos(busy), Nanos(blocked), Nanos(preempted))
            }
            _ => "not measured".to_owned(),
        };
        let waiting_in = index.waiting_in(slow);
        if !waiting_in.is_empty() {
            split.push_str(" in ");
            split.push_str(&waiting_in);
        }
        let harm = match (slow.waiters, slow.waited_ns) {
            (Some(0), _) => "no task waited".to_owned(),
            (Some(waiters), Some(waited)) => format!("{waiters} tasks waited {} together", Nanos(waited)),
            _ => "not measured".to_owned(),
        };
        Self { poll, split: profile.intern_string(&split), harm: profile.intern_string(&harm) }
    }
}

impl StaticSchemaMarker for SlowPolled {
    const UNIQUE_MARKER_TYPE_NAME: &'static str = "slow poll";
    const DESCRIPTION: Option<&'static str> = Some("A poll above the service's limit.");
    const LOCATIONS: MarkerLocations = EVERYWHERE;
    const CHART_LABEL: Option<&'static str> = Some("{marker.name} {marker.data.task}");
    const TABLE_LABEL: Option<&'static str> =
        Some("{marker.data.task} {marker.data.site}: {marker.data.split}");
    const FIELDS: &'static [StaticSchemaMarkerField] =
        &[text("task", "Task"), text("site", "Spawned at"), text("split", "Time"), text("harm", "Harm")];

    fn name(&self, _: &mut Profile) -> StringHandle {
        self.poll.name
    }

    fn category(&self, _: &mut Profile) -> CategoryHandle {
        self.poll.category
    }

    fn string_field_value(&self, field: u32) -> StringHandle {
        match field {
            0 => self.poll.task,
            1 => self.poll.site,
            2 => self.split,
            _ => self.harm,
        }
    }

    fn number_field_value(&self, _: u32) -> f64 {
        0.0
    }
}

/// A finding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    detector: StringHandle,
    headline: StringHandle,
    level: StringHandle,
    why: StringHandle,
    fix: StringHandle,
}

impl Found {
    pub(super) fn new(profile: &mut Profile, finding: &Finding) -> Self {
        let mut text = |text: &str| profile.intern_string(text);
        Self {
            detector: text(&finding.detector),
            headline: text(&finding.headline),
            level: text(finding.level.as_str()),
            why: text(&finding.why),
            fix: text(&finding.fix),
        }
    }
}

impl StaticSchemaMarker for Found {
    const UNIQUE_MARKER_TYPE_NAME: &'static str = "finding";
    const DESCRIPTION: Option<&'static str> = Some("What a detector found, when it was first seen.");
    const LOCATIONS: MarkerLocations = EVERYWHERE;
    const CHART_LABEL: Option<&'static str> = Some("{marker.data.headline}");
    const TABLE_LABEL: Option<&'static str> = Some("{marker.data.level}: {marker.data.headline}");
    const FIELDS: &'static [StaticSchemaMarkerField] =
        &[text("headline", "Finding"), text("level", "Level"), text("why", "Why"), text("fix", "Fix")];

    fn name(&self, _: &mut Profile) -> StringHandle {
        self.detector
    }

    fn category(&self, _: &mut Profile) -> CategoryHandle {
        CategoryHandle::OTHER
    }

    fn string_field_value(&self, field: u32) -> StringHandle {
        match field {
            0 => self.headline,
            1 => self.level,
            2 => self.why,
            _ => self.fix,
        }
    }

    fn number_field_value(&self, _: u32) -> f64 {
        0.0
    }
}
