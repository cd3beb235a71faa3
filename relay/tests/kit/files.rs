//! E10: files that an extension keeps in the relay's data directory.

use std::path::PathBuf;
use trellis_relay::extension::prelude::*;
use trellis_relay::testing::{HookHarness, TestRelay, until};

/// Counts in a file how often it was built, and tells where that stands.
struct Births {
    count: usize,
    host: Host,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Extension for Births {
    const NAME: &'static str = "births";
    type Config = Nothing;

    async fn build(_: Nothing, host: Host) -> Result<Self, BuildError> {
        let file = host.data_dir().join("births.txt");
        let mut births = std::fs::read_to_string(&file).unwrap_or_default();
        births.push('*');
        std::fs::write(file, &births).map_err(|error| BuildError(error.to_string()))?;
        Ok(Births {
            count: births.len(),
            host,
        })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks.nip11(|me, document| {
            let directory = me.host.data_dir().display().to_string();
            document.insert("births".to_owned(), me.count.into());
            document.insert("directory".to_owned(), directory.into());
            Ok(())
        });
    }
}

async fn births(relay: &TestRelay) -> (u64, PathBuf) {
    let document = relay.information().await;
    let directory = document["directory"].as_str().unwrap();
    (document["births"].as_u64().unwrap(), directory.into())
}

#[tokio::test]
async fn e10_files_of_an_extension_outlive_restart_and_crash_and_go_with_the_relay() {
    for setup in [TestRelay::of::<Births>(), TestRelay::of::<Births>().lmdb()] {
        let relay = setup.start().await;
        let (count, directory) = births(&relay).await;
        assert_eq!(count, 1);
        let relay = relay.restart().await;
        assert_eq!(births(&relay).await, (2, directory.clone()));
        let relay = relay.kill_and_restart().await;
        assert_eq!(births(&relay).await, (3, directory.clone()));
        relay.stop().await;
        until("the directory is gone", async || !directory.exists()).await;
    }
}

#[tokio::test]
async fn e10_hooks_without_a_relay_have_a_directory_as_well() {
    const EXTENSIONS: &[trellis_relay::extension::Compiled] =
        &[trellis_relay::extension::Compiled::of::<Births>()];
    let hooks = HookHarness::start(EXTENSIONS, "[births]").await.unwrap();
    let directory = trellis_relay::extension::Core::data_dir(&*hooks.core).to_owned();
    assert!(directory.join("births.txt").exists());
    hooks.host.shutdown().await;
}
