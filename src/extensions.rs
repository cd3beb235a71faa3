//! The extensions that are compiled in: one line each. A table `[extensions.NAME]` switches one on.

use trellis_relay::extension::Compiled;

/// In this order `trellis config explain` lists them; the order of their hooks is theirs to say.
pub(crate) const EXTENSIONS: &[Compiled] = &[
    Compiled::of::<members_only::MembersOnly>(),
    #[cfg(feature = "blossom_policy")]
    Compiled::of::<trellis_blossom_policy::BlossomPolicy>(),
    #[cfg(feature = "exec")]
    Compiled::of::<trellis_exec::Exec>(),
    #[cfg(feature = "groups")]
    Compiled::of::<trellis_groups::Groups>(),
    #[cfg(feature = "livekit_token")]
    Compiled::of::<trellis_livekit_token::LivekitToken>(),
    #[cfg(feature = "mls_gateway")]
    Compiled::of::<trellis_mls_gateway::MlsGateway>(),
    #[cfg(feature = "qube_coordination")]
    Compiled::of::<trellis_qube_coordination::QubeCoordination>(),
];
