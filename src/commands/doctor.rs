//! `trellis doctor`: whether the relay has what it needs, before clients find out.
//!
//! Invariant: nothing is changed but a small file in the data directory, or above it before the first start, and one where
//! backups go, which are removed again; every check ends in time, and one that cannot be made is never shown as passed. Each
//! file below has one group of checks; here they are only put in order.

mod backup;
mod certificate;
mod clock;
mod database;
mod disk;
mod extensions;
mod launch;
mod limits;
mod network;
mod ownership;
mod patient;
mod public_address;
mod report;
mod trust;
mod web;

use super::{ConfigFile, closed_pipe};

use clap::Args;
use database::Relay;
use patient::Patient;
use report::Report;
use std::sync::Arc;
use std::time::Duration;
use trellis_relay::extension::{Compiled, Findings};
use trust::Roots;
use url::Url;
use web::Web;

#[derive(Debug, Args)]
#[command(after_help = "\
One line for each check: ok, warn (it works, and will not always), fail, or hand (no program can tell: a person has to \
look). The exit code is 0 where nothing fails, 1 where something does, and 2 where the configuration is wrong.

Run it as the user that the relay runs as, with the relay's environment, whether the relay runs or not. What clients see \
from outside can only be checked while it runs.

Examples:
  trellis doctor -c config/trellis.toml
  trellis doctor -c config/trellis.toml --launch
  trellis doctor -c config/trellis.toml --json | jq '.checks[] | select(.grade == \"fail\")'")]
pub(super) struct Doctor {
    #[command(flatten)]
    file: ConfigFile,
    /// Check what has to be there before the public is let in, too.
    #[arg(long)]
    launch: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// A web server whose clock is right, to compare this machine's with: https://HOST.
    #[arg(long, value_name = "URL")]
    time_server: Option<Url>,
    /// How long each server that is asked may take; extensions have their own bounds, 20 s at most. Seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout: u64,
}

impl Doctor {
    pub(super) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        let loaded = self.file.load(extensions)?;
        let patience = Duration::from_secs(self.timeout);
        let mut found = Findings::default();
        report::of_configuration(&loaded, &mut found);
        let roots = Roots::load(&loaded.config.outbound.trusted_certificates, &mut found);
        let web = Web::new(&roots, patience)?;
        let patient = Patient {
            loaded,
            extensions,
            patience,
            roots,
            web,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let report = runtime.block_on(self.examine(patient, found));
        // A server that does not answer keeps nobody from ending.
        runtime.shutdown_background();
        closed_pipe::forgive(match self.json {
            true => report.print_json(),
            false => report.print(),
        })?;
        let failed = report.failed();
        anyhow::ensure!(failed == 0, "{failed} of {} checks fail", report.len());
        Ok(())
    }

    async fn examine(&self, patient: Patient, mut found: Findings) -> Report {
        let patient = Arc::new(patient);
        let relay = Self::of_machine(&patient, &mut found).await;
        if let Some(server) = &self.time_server {
            clock::compare(server, &patient.web, &mut found).await;
        }
        let (seen, of_extensions) =
            tokio::join!(public_address::look(&patient), extensions::look(&patient));
        found.all.extend(seen.found.all.iter().cloned());
        found.all.extend(of_extensions.all);
        let mut endpoints = of_extensions.endpoints;
        endpoints.extend(seen.endpoints());
        let mut certificates = certificate::of_endpoints(&patient, &endpoints).await;
        found.all.append(&mut certificates.found.all);
        certificates.all.extend(seen.certificate.clone());
        backup::look(&patient.loaded.config, &mut found).await;
        let launch = match self.launch {
            true => {
                let seen = launch::Before {
                    found: &found,
                    relay,
                    address: &seen,
                    endpoints: &endpoints,
                    certificates: &certificates.all,
                };
                launch::look(&patient, &seen).await
            }
            false => Findings::default(),
        };
        Report {
            checks: found.all,
            launch: launch.all,
        }
    }

    /// What can be seen on this machine.
    async fn of_machine(patient: &Arc<Patient>, found: &mut Findings) -> Relay {
        let of_disk = |it: &Patient, found: &mut Findings| disk::look(&it.loaded, found);
        patient.within("disk", found, of_disk).await;
        let of_database =
            |it: &Patient, found: &mut Findings| database::look(&it.loaded.config, found);
        let relay = patient.within(database::CHECK, found, of_database).await;
        let relay = relay.unwrap_or(Relay::Unknown);
        let of_limits =
            move |it: &Patient, found: &mut Findings| limits::look(&it.loaded.config, relay, found);
        patient.within("open files", found, of_limits).await;
        let of_network = move |it: &Patient, found: &mut Findings| {
            network::look(&it.loaded.config, relay, found)
        };
        patient.within("listening", found, of_network).await;
        let of_clock =
            move |it: &Patient, found: &mut Findings| clock::look(&it.loaded.config, relay, found);
        patient.within("clock", found, of_clock).await;
        relay
    }
}
