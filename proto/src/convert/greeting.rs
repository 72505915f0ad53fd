//! Greetings: who speaks, what it can do, which protocol.

use pollscope_model::hello::{Hello, ProcessInfo, ProtocolVersion};
use pollscope_model::measured::{Capability, Metric};
use pollscope_model::time::ClockAnchor;

use super::field::{Field, message, required};
use super::{DecodeError, Reason, at_most};
use crate::limits::{MAX_FRAME_ROWS, MAX_POLICY_BYTES};
use crate::wire;
use crate::{ClientHello, DetailRequest, EventsRequest};

message! {
    "hello": Hello = wire::Hello {
        protocol, version, boot, process, mode, anchor, interval_ns, hist_scale, slow_poll_ns,
    }
    to |hello| {
        capabilities: hello.capabilities.iter().map(capability_to_wire).collect(),
        policy: hello.policy.clone(),
    }
    from |wire| {
        capabilities: capabilities(wire.capabilities)?,
        policy: policy(wire.policy)?,
    }
}

message! { "hello.process": ProcessInfo = wire::ProcessInfo { name, pid, host, exe, cpus, build } }

message! { "hello.anchor": ClockAnchor = wire::ClockAnchor { unix_ns, mono_ns } }

message! { "protocol": ProtocolVersion = wire::ProtocolVersion { major, minor } }

message! { "client": ClientHello = wire::ClientHello { protocol, version, label } }

message! { "detail": DetailRequest = wire::DetailRequest { detail, ttl_ns } }

message! { "events": EventsRequest = wire::EventsRequest { last_ns, ttl_ns } }

required! {
    Hello = wire::Hello,
    ProcessInfo = wire::ProcessInfo,
    ClockAnchor = wire::ClockAnchor,
    ProtocolVersion = wire::ProtocolVersion,
}

fn capability_to_wire(capability: &Capability) -> wire::Capability {
    wire::Capability {
        metric: capability.metric.as_str().to_owned(),
        coverage: capability.coverage.to_wire(),
        reason: capability.reason.to_wire(),
    }
}

fn capabilities(capabilities: Vec<wire::Capability>) -> Result<Vec<Capability>, DecodeError> {
    at_most("hello.capabilities", MAX_FRAME_ROWS, capabilities.len())?;
    let mut known = Vec::new();
    for capability in capabilities {
        // A newer peer may measure what this build has no name for.
        let Some(metric) = Metric::from_name(&capability.metric) else { continue };
        known.push(Capability {
            metric,
            coverage: Field::from_wire("hello.capabilities.coverage", capability.coverage)?,
            reason: Field::from_wire("hello.capabilities.reason", capability.reason)?,
        });
    }
    Ok(known)
}

fn policy(text: String) -> Result<String, DecodeError> {
    at_most("hello.policy", MAX_POLICY_BYTES, text.len())?;
    Ok(text)
}

impl Field<u32> for u8 {
    fn to_wire(&self) -> u32 {
        u32::from(*self)
    }

    fn from_wire(field: &'static str, wire: u32) -> Result<Self, DecodeError> {
        Self::try_from(wire).map_err(|_| DecodeError::new(field, Reason::OutOfRange(wire.into())))
    }
}
