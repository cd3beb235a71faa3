//! KeyPackages (443) that are taken into stock.

use super::failed;
use crate::MlsGateway;
use crate::rules::key_package::{self, KeyPackage};
use crate::storage::{Package, PutPackage};
use crate::watch;
use trellis_relay::extension::prelude::*;

impl MlsGateway {
    /// Takes one in, unless its owner has another with the same reference.
    pub(super) async fn take_into_stock(&self, event: &Event) -> Result<Admit, HookError> {
        let now_s = self.host.clock().now_s();
        let package = match key_package::read(event, &self.settings, now_s) {
            Ok(package) => package,
            Err(reason) => return Ok(reason.into()),
        };
        if let Some(ciphersuite) = &package.ciphersuite
            && !key_package::is_known(ciphersuite)
        {
            watch::ciphersuite_unknown();
        }
        let package = Package::of(event, package);
        let put = self.storage.put_package(&package).await;
        Ok(match put {
            Ok(PutPackage::Stored) => {
                watch::package_stored();
                Admit::Accept
            }
            Ok(PutPackage::Known) => Admit::Accept,
            Ok(PutPackage::UsedUp) => Reason::duplicate("this KeyPackage is used up").into(),
            Ok(PutPackage::ReferenceTaken) => {
                Reason::duplicate("another KeyPackage of this owner has the same kpr").into()
            }
            Err(error) => failed(event, &error),
        })
    }
}

impl Package {
    /// What is noted of an event.
    pub(crate) fn of(event: &Event, package: KeyPackage) -> Self {
        Package {
            id: *event.id(),
            owner: *event.pubkey(),
            reference: package.reference,
            ciphersuite: package.ciphersuite,
            created_at_s: event.created_at(),
            // Every 443 has an end.
            expires_at_s: package.expires_at_s.unwrap_or(event.created_at()),
        }
    }
}
