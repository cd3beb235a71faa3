//! Files of an extension, lost and restored.

use std::path::{Path, PathBuf};
use trellis_relay::extension::prelude::*;
use trellis_relay::testing::{TestRelay, json};

struct Counter {
    file: PathBuf,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CounterConfig {}

impl Extension for Counter {
    const NAME: &'static str = "counter";
    type Config = CounterConfig;

    async fn build(_config: CounterConfig, host: Host) -> Result<Self, BuildError> {
        let file = host.data_dir().join("counter.txt");
        if !file.exists() {
            std::fs::write(&file, "0")?;
        }
        Ok(Counter { file })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks.admit(1, |me, _event, _viewer| {
            let count: u64 = std::fs::read_to_string(&me.file)?.parse()?;
            std::fs::write(&me.file, (count + 1).to_string())?;
            Ok(Admit::Accept)
        });
    }

    async fn back_up(&self, into: &Path) -> Result<Vec<BackupFile>, BackupError> {
        let written = into.join("counter.txt");
        std::fs::copy(&self.file, &written)?;
        Ok(vec![BackupFile {
            written,
            restore_to: self.file.clone(),
        }])
    }
}

#[tokio::test]
async fn the_count_is_in_a_backup() {
    let relay = TestRelay::of::<Counter>().start().await;
    let note = relay.author(1).note("hello");
    relay.connect().await.store(&note).await;
    let backup = relay.back_up().await;
    let copy = &backup.files("counter")[0];
    assert_eq!(std::fs::read_to_string(copy).expect("a copy"), "1");

    let relay = relay.kill_and_restore(&backup).await;
    let mut client = relay.connect().await;
    assert_eq!(client.query(json!({})).await, Ok(vec![note]));
    let again = relay.back_up().await;
    let copy = &again.files("counter")[0];
    assert_eq!(std::fs::read_to_string(copy).expect("a copy"), "1");
}
