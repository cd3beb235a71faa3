//! What the extensions that are switched on find of themselves.

use super::patient::Patient;
use futures_util::future::join_all;
use std::sync::Arc;
use trellis_relay::extension::{Examination, Findings, examine};

/// All of them at once; each check begins with the extension's name.
pub(super) async fn look(patient: &Patient) -> Findings {
    let config = Arc::new(patient.loaded.config.clone());
    let examined = patient.extensions.iter().filter_map(|extension| {
        let table = config.extensions.get(extension.name())?.clone();
        let at = Examination::new(config.clone());
        Some(async move { (extension.name(), examine(extension, table, at).await) })
    });
    let mut all = Findings::default();
    for (name, found) in join_all(examined).await {
        let Some(mut found) = found else { continue };
        for finding in &mut found.all {
            finding.check = format!("{name}: {}", finding.check);
        }
        all.all.append(&mut found.all);
        all.endpoints.append(&mut found.endpoints);
    }
    all
}
