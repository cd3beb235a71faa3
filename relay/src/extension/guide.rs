//! The pages of the author's guide, so that the tests of documentation compile and run every example in them.
//!
//! Not here: the guide's first page, whose program needs the command line (`guide.rs` of the root package).

macro_rules! pages {
    ($($page:ident = $file:literal),* $(,)?) => {
        $(
            #[doc = include_str!(concat!("../../../docs/extensions/", $file))]
            mod $page {}
        )*
    };
}

pages! {
    admit = "admit.md",
    admit_async = "admit-async.md",
    backup = "backup.md",
    command = "command.md",
    commit = "commit.md",
    deliver = "deliver.md",
    guard_removal = "guard-removal.md",
    host = "host.md",
    http = "http.md",
    lifecycle = "lifecycle.md",
    nip11 = "nip11.md",
    payment = "payment.md",
    request = "request.md",
    rpc = "rpc.md",
    session = "session.md",
    stored = "stored.md",
    types = "types.md",
}
