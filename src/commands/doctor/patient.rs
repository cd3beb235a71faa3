//! What every group of checks is given, and the time in which those that block have to end.
//!
//! Invariant: a disk that hangs, or a name server that is silent, is itself what is found, and keeps no other check from being
//! made.

use super::trust::Roots;
use super::web::Web;
use std::sync::Arc;
use std::time::Duration;
use trellis_relay::config::Loaded;
use trellis_relay::extension::{Compiled, Findings};

/// A look at this machine takes milliseconds, and one at a running relay some seconds.
const LOOKING: Duration = Duration::from_secs(20);

/// The relay that is examined, and with what.
pub(super) struct Patient {
    pub(super) loaded: Loaded,
    pub(super) extensions: &'static [Compiled],
    /// How long a server may take.
    pub(super) patience: Duration,
    pub(super) roots: Roots,
    pub(super) web: Web,
}

impl Patient {
    /// Has a look that may block; `None`, and a finding under this name, where it does not end in time.
    pub(super) async fn within<T: Send + 'static>(
        self: &Arc<Self>,
        check: &str,
        found: &mut Findings,
        look: impl FnOnce(&Patient, &mut Findings) -> T + Send + 'static,
    ) -> Option<T> {
        let patient = self.clone();
        within(LOOKING, check, found, move |found| look(&patient, found)).await
    }
}

async fn within<T: Send + 'static>(
    patience: Duration,
    check: &str,
    found: &mut Findings,
    look: impl FnOnce(&mut Findings) -> T + Send + 'static,
) -> Option<T> {
    let (tell, told) = tokio::sync::oneshot::channel();
    // A thread that is nobody's: one that never ends keeps nobody from ending.
    let started = std::thread::Builder::new().spawn(move || {
        let mut found = Findings::default();
        let seen = look(&mut found);
        // Nobody may be waiting any more.
        let _ = tell.send((found, seen));
    });
    let why = match started {
        Err(error) => error.to_string(),
        Ok(_) => match tokio::time::timeout(patience, told).await {
            Ok(Ok((seen, what))) => {
                found.all.extend(seen.all);
                return Some(what);
            }
            Ok(Err(_)) => "looking at it broke off".to_owned(),
            Err(_) => "looking at it does not end".to_owned(),
        },
    };
    let advice = "see what hangs: dmesg, the disk or the network that it lies on, the name server";
    found.fail(check, why, advice);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn d9_a_look_that_does_not_end_is_what_is_found() {
        let mut found = Findings::default();
        let soon = Duration::from_millis(50);
        let hangs = |_: &mut Findings| std::thread::park_timeout(2 * LOOKING);
        assert_eq!(within(soon, "disk", &mut found, hangs).await, None);
        let breaks_off = |_: &mut Findings| panic!("in a look");
        let seen: Option<()> = within(LOOKING, "clock", &mut found, breaks_off).await;
        assert_eq!(seen, None);
        let looks = |found: &mut Findings| found.ok("limits", "high");
        assert_eq!(within(LOOKING, "limits", &mut found, looks).await, Some(()));
        let told: Vec<_> = found.all.iter().map(|it| it.found.as_str()).collect();
        let wanted = [
            "looking at it does not end",
            "looking at it broke off",
            "high",
        ];
        assert_eq!(told, wanted);
    }
}
