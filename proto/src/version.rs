//! The protocol's version, and what to tell a peer that speaks another one.

use pollscope_model::hello::ProtocolVersion;

/// The protocol that this build speaks.
pub const PROTOCOL: ProtocolVersion = ProtocolVersion { major: 1, minor: 0 };

/// The version of pollscope that this build belongs to.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// What a peer is, which decides what there is to upgrade.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peer {
    /// A process with the `pollscope` crate in it.
    Service,
    /// The terminal program.
    Viewer,
    /// The collector.
    Collector,
}

impl Peer {
    const fn noun(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Viewer => "viewer",
            Self::Collector => "collector",
        }
    }

    const fn remedy(self) -> &'static str {
        match self {
            Self::Service => "upgrade the service's `pollscope` dependency and rebuild it",
            Self::Viewer => "upgrade the `pollscope` program",
            Self::Collector => "upgrade `pollscope-collector`",
        }
    }
}

/// Two peers cannot understand each other. Its text says who is older and what to upgrade, and
/// reads the same on both sides.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "protocol mismatch: the {} (pollscope {older_release}) speaks protocol {older_protocol}, the {} \
     (pollscope {newer_release}) speaks {newer_protocol}; the {} is older: {}",
    .older.noun(), .newer.noun(), .older.noun(), .older.remedy()
)]
pub struct VersionMismatch {
    older: Peer,
    older_protocol: ProtocolVersion,
    older_release: String,
    newer: Peer,
    newer_protocol: ProtocolVersion,
    newer_release: String,
}

/// Whether `us`, which is this build, can talk to `them`, which announced the given protocol and
/// release.
pub fn compatible(
    us: Peer,
    them: Peer,
    protocol: ProtocolVersion,
    release: &str,
) -> Result<(), VersionMismatch> {
    if protocol.major == PROTOCOL.major {
        return Ok(());
    }
    let ours = (us, PROTOCOL, RELEASE.to_owned());
    let theirs = (them, protocol, release.to_owned());
    let (old, new) = if protocol < PROTOCOL { (theirs, ours) } else { (ours, theirs) };
    Err(VersionMismatch {
        older: old.0,
        older_protocol: old.1,
        older_release: old.2,
        newer: new.0,
        newer_protocol: new.1,
        newer_release: new.2,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_versions_understand_each_other() {
        let newer = ProtocolVersion { minor: PROTOCOL.minor + 7, ..PROTOCOL };
        assert_eq!(compatible(Peer::Service, Peer::Viewer, newer, "9.9.9"), Ok(()));
    }

    #[test]
    fn a_mismatch_says_who_is_older_and_what_to_upgrade() {
        let newer = ProtocolVersion { major: PROTOCOL.major + 1, minor: 0 };
        let text = compatible(Peer::Service, Peer::Viewer, newer, "7.0.0")
            .expect_err("another major is refused")
            .to_string();
        assert!(text.contains("the service is older"), "{text}");
        assert!(text.contains("upgrade the service's `pollscope` dependency"), "{text}");
        assert!(text.contains("(pollscope 7.0.0) speaks 2.0"), "{text}");

        let older = ProtocolVersion { major: 0, minor: 9 };
        let text = compatible(Peer::Collector, Peer::Viewer, older, "0.0.1")
            .expect_err("another major is refused")
            .to_string();
        assert!(text.contains("the viewer is older: upgrade the `pollscope` program"), "{text}");
    }
}
