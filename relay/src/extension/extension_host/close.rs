//! The end of all extensions: in order, or as they are.
//!
//! Invariant: what nobody can judge any more is refused, before the first of them goes.

use super::super::order;
use super::ExtensionHost;

impl ExtensionHost {
    /// Stops everything, dependents before those that they need, within the deadline for each step.
    pub async fn shutdown(mut self) {
        let on = self.compiled.iter().copied();
        let on: Vec<_> = on
            .filter(|it| self.running.contains_key(it.name()))
            .collect();
        let ordered = order::by_services(on.clone()).unwrap_or(on);
        let mut retired = Vec::new();
        for extension in ordered.iter().rev() {
            retired.extend(self.running.remove(extension.name()));
        }
        self.close();
        for running in retired {
            self.retire(vec![running]).await;
        }
    }

    /// Drops everything as it is: no goodbye, and no cursor is saved.
    #[cfg(feature = "testing")]
    pub(crate) fn abandon(mut self) {
        self.running.clear();
        self.close();
    }

    /// Takes everything out of force: what could not be judged from here on is refused.
    fn close(&mut self) {
        self.offer_services(&[]);
        self.handle.close();
    }
}
