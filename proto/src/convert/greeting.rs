//! Greetings: who speaks, what it can do, which protocol.

use pollscope_model::hello::{Hello, ProcessInfo, ProtocolVersion};
use pollscope_model::id::BootId;
use pollscope_model::measured::{Capability, Coverage, Metric, Mode};
use pollscope_model::time::ClockAnchor;

use super::text::{checked, clip};
use super::{DecodeError, Reason, at_most, numbers};
use crate::limits::{MAX_FRAME_ROWS, MAX_POLICY_BYTES};
use crate::wire;
use crate::{ClientHello, DetailRequest, EventsRequest};

pub(crate) fn boot_from_wire(field: &'static str, bytes: &[u8]) -> Result<BootId, DecodeError> {
    let bytes: [u8; 16] = bytes
        .try_into()
        .map_err(|_| DecodeError::new(field, Reason::Length { expected: 16, got: bytes.len() }))?;
    Ok(BootId(u128::from_be_bytes(bytes)))
}

pub(crate) fn protocol_to_wire(protocol: ProtocolVersion) -> wire::ProtocolVersion {
    wire::ProtocolVersion { major: protocol.major, minor: protocol.minor }
}

pub(crate) fn protocol_from_wire(
    field: &'static str,
    protocol: Option<wire::ProtocolVersion>,
) -> Result<ProtocolVersion, DecodeError> {
    let wire::ProtocolVersion { major, minor } = protocol.ok_or(DecodeError::missing(field))?;
    Ok(ProtocolVersion { major, minor })
}

pub(crate) fn hello_to_wire(hello: &Hello) -> wire::Hello {
    wire::Hello {
        protocol: Some(protocol_to_wire(hello.protocol)),
        version: clip(&hello.version),
        boot: hello.boot.0.to_be_bytes().to_vec(),
        process: Some(wire::ProcessInfo {
            name: clip(&hello.process.name),
            pid: hello.process.pid,
            host: clip(&hello.process.host),
            exe: clip(&hello.process.exe),
            cpus: hello.process.cpus,
            build: clip(&hello.process.build),
        }),
        mode: hello.mode.as_str().to_owned(),
        capabilities: hello
            .capabilities
            .iter()
            .map(|capability| wire::Capability {
                metric: capability.metric.as_str().to_owned(),
                coverage: capability.coverage.as_str().to_owned(),
                reason: clip(&capability.reason),
            })
            .collect(),
        anchor: Some(wire::ClockAnchor { unix_ns: hello.anchor.unix_ns, mono_ns: hello.anchor.mono_ns }),
        interval_ns: hello.interval_ns,
        hist_scale: u32::from(hello.hist_scale),
        policy: hello.policy.clone(),
        slow_poll_ns: hello.slow_poll_ns,
    }
}

pub(crate) fn hello_from_wire(hello: wire::Hello) -> Result<Hello, DecodeError> {
    let process = hello.process.ok_or(DecodeError::missing("hello.process"))?;
    let anchor = hello.anchor.ok_or(DecodeError::missing("hello.anchor"))?;
    at_most("hello.capabilities", MAX_FRAME_ROWS, hello.capabilities.len())?;
    at_most("hello.policy", MAX_POLICY_BYTES, hello.policy.len())?;
    let unknown = |field, name: &str| DecodeError::new(field, Reason::UnknownName(clip(name)));
    let mut capabilities = Vec::new();
    for capability in hello.capabilities {
        // A newer peer may measure what this build has no name for.
        let Some(metric) = Metric::from_name(&capability.metric) else { continue };
        capabilities.push(Capability {
            metric,
            coverage: Coverage::from_name(&capability.coverage)
                .ok_or_else(|| unknown("hello.capabilities.coverage", &capability.coverage))?,
            reason: checked("hello.capabilities.reason", capability.reason)?,
        });
    }
    Ok(Hello {
        protocol: protocol_from_wire("hello.protocol", hello.protocol)?,
        version: checked("hello.version", hello.version)?,
        boot: boot_from_wire("hello.boot", &hello.boot)?,
        process: ProcessInfo {
            name: checked("hello.process.name", process.name)?,
            pid: process.pid,
            host: checked("hello.process.host", process.host)?,
            exe: checked("hello.process.exe", process.exe)?,
            cpus: process.cpus,
            build: checked("hello.process.build", process.build)?,
        },
        mode: Mode::from_name(&hello.mode).ok_or_else(|| unknown("hello.mode", &hello.mode))?,
        capabilities,
        anchor: ClockAnchor { unix_ns: anchor.unix_ns, mono_ns: anchor.mono_ns },
        interval_ns: hello.interval_ns,
        hist_scale: u8::try_from(hello.hist_scale)
            .map_err(|_| DecodeError::new("hello.hist_scale", Reason::OutOfRange(hello.hist_scale.into())))?,
        policy: hello.policy,
        slow_poll_ns: hello.slow_poll_ns,
    })
}

pub(crate) fn client_to_wire(client: &ClientHello) -> wire::ClientHello {
    wire::ClientHello {
        protocol: Some(protocol_to_wire(client.protocol)),
        version: clip(&client.version),
        label: clip(&client.label),
    }
}

pub(crate) fn client_from_wire(client: wire::ClientHello) -> Result<ClientHello, DecodeError> {
    Ok(ClientHello {
        protocol: protocol_from_wire("client.protocol", client.protocol)?,
        version: checked("client.version", client.version)?,
        label: checked("client.label", client.label)?,
    })
}

pub(crate) fn detail_request_to_wire(request: DetailRequest) -> wire::DetailRequest {
    wire::DetailRequest { detail: numbers::detail_to_wire(request.detail).into(), ttl_ns: request.ttl_ns }
}

pub(crate) fn detail_request_from_wire(request: wire::DetailRequest) -> Result<DetailRequest, DecodeError> {
    Ok(DetailRequest { detail: numbers::detail("detail", request.detail)?, ttl_ns: request.ttl_ns })
}

pub(crate) fn events_request_to_wire(request: EventsRequest) -> wire::EventsRequest {
    wire::EventsRequest { last_ns: request.last_ns, ttl_ns: request.ttl_ns }
}

pub(crate) fn events_request_from_wire(request: wire::EventsRequest) -> EventsRequest {
    EventsRequest { last_ns: request.last_ns, ttl_ns: request.ttl_ns }
}
