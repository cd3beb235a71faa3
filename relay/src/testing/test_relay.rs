//! A whole relay inside a test: started, spoken to, reconfigured, restarted, stopped.

use super::client::Target;
use super::relay_thread::RelayThread;
use super::setup::Ground;
use super::{Author, Backup, Client, Faults, HttpCall, Setup, SetupError, Value, backup};
use crate::clock::FakeClock;
use crate::config::Config;
use crate::extension::{ExplainedHook, Extension, ExtensionStatus, HostHandle, is_backed_up};
use crate::server::StartError;
use crate::store::KvRow;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_tungstenite::tungstenite;

/// A real relay on a free port of this machine. It lives on threads of its own, so a test may run on any runtime; it ends
/// when this is dropped.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use trellis_relay::testing::{Author, TestRelay, json};
/// let relay = TestRelay::setup().config("[information]\nname = 'a test'").start().await;
/// let mut client = relay.connect().await;
/// client.subscribe("live", [json!({"kinds": [1]})]).await.expect("open");
/// let note = Author::new(1).note("hello");
/// relay.connect().await.store(&note).await;
/// assert_eq!(client.next_event("live").await, note);
/// assert_eq!(relay.information().await["name"], "a test");
/// relay.stop().await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct TestRelay {
    // First, so that the relay is gone before its directory.
    thread: RelayThread,
    config: Config,
    text: String,
    ground: Ground,
}

impl TestRelay {
    /// With this extension, switched on: the short way for the tests of one.
    pub fn of<E: Extension>() -> Setup {
        Setup::default().extension::<E>()
    }

    /// Without extensions so far.
    pub fn setup() -> Setup {
        Setup::default()
    }

    pub(super) async fn start<T>(
        ground: Ground,
        text: String,
        before: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Self, SetupError> {
        let config = ground.config(&text)?;
        let thread = ground.start(config.clone(), before).await?;
        Ok(TestRelay {
            thread,
            config,
            text,
            ground,
        })
    }

    /// A new connection.
    pub async fn connect(&self) -> Client {
        match self.try_connect(&[]).await {
            Ok(client) => client,
            Err(error) => panic!("the relay refused the connection: {error}"),
        }
    }

    /// A new connection on which this author has authenticated (NIP-42).
    pub async fn connect_as(&self, author: &Author) -> Client {
        let mut client = self.connect().await;
        client.login(author).await;
        client
    }

    /// A new connection, asked for with further headers, or why there is none.
    pub async fn try_connect(
        &self,
        headers: &[(&str, &str)],
    ) -> Result<Client, tungstenite::Error> {
        let target = Target {
            authority: self.authority(),
            relay_url: self.url(),
            clock: self.ground.clock.clone(),
            headers,
        };
        Client::connect(target).await
    }

    /// The author of this number ([`Author::new`]), writing by the relay's clock.
    pub fn author(&self, number: u64) -> Author {
        Author::on_clock(number, self.ground.clock.clone())
    }

    /// The relay's clock, which stands still. Sweeps look at it once a second; timeouts of connections do not.
    pub fn clock(&self) -> &FakeClock {
        &self.ground.clock
    }

    /// A GET; await it.
    pub fn get(&self, path: &str) -> HttpCall {
        self.request("GET", path)
    }

    /// A POST; give it a body and await it.
    pub fn post(&self, path: &str) -> HttpCall {
        self.request("POST", path)
    }

    /// A PUT; give it a body and await it.
    pub fn put(&self, path: &str) -> HttpCall {
        self.request("PUT", path)
    }

    /// A DELETE; await it.
    pub fn delete(&self, path: &str) -> HttpCall {
        self.request("DELETE", path)
    }

    /// A request of any method; await it.
    pub fn request(&self, method: &str, path: &str) -> HttpCall {
        let clock = self.ground.clock.clone();
        HttpCall::new(self.authority(), self.http_url(), clock, method, path)
    }

    /// The information document (NIP-11).
    pub async fn information(&self) -> Value {
        let call = self.get("/").header("Accept", "application/nostr+json");
        call.await.json()
    }

    /// The answer of a management method (NIP-86) to this admin, or the error that it gave.
    pub async fn manage(
        &self,
        admin: &Author,
        method: &str,
        params: Value,
    ) -> Result<Value, String> {
        let call = serde_json::json!({"method": method, "params": params});
        let body = serde_json::to_vec(&call).unwrap();
        let answer = self
            .post("/")
            .header("Content-Type", "application/nostr+json+rpc")
            .body(body)
            .nip98(admin)
            .await;
        let said: Value = answer.json();
        match &said["error"] {
            Value::Null => Ok(said["result"].clone()),
            error => Err(error.as_str().unwrap_or_default().to_owned()),
        }
    }

    /// How an extension is: its health, its faults, and the hooks that are skipped for them.
    pub fn status(&self, extension: &str) -> ExtensionStatus {
        let mut all = self.thread.extensions.status().into_iter();
        match all.find(|it| it.name == extension) {
            Some(status) => status,
            None => panic!("{extension} is not compiled in"),
        }
    }

    /// Every hook in force, in the order in which they run.
    pub fn hooks(&self) -> Vec<ExplainedHook> {
        self.thread.extensions.explain()
    }

    /// For the kit's own checks.
    pub(super) fn extensions(&self) -> &HostHandle {
        &self.thread.extensions
    }

    /// Whether a `stored` hook of an extension has changes before it; with `is_patient`, whether or not it is at fault.
    pub(super) fn is_behind(&self, extension: &str, is_patient: bool) -> bool {
        let store = &*self.ground.store;
        let asked = self.extensions().is_behind(extension, store, is_patient);
        asked.unwrap_or_else(|error| panic!("the store under the test failed: {error}"))
    }

    /// A metric as `/metrics` tells it: the sum of all series of that name which have these labels; 0 where there is none.
    /// Metrics are the process's, so relays in other tests count too: compare only what carries the name of an extension
    /// that no other test runs, or a value that can but grow.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let page = self.get("/metrics").await;
        assert_eq!(page.status, 200, "{}", page.text());
        let labels: Vec<_> = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{value}\""))
            .collect();
        let page = page.text();
        let series = page.lines().filter_map(|line| line.rsplit_once(' '));
        let wanted = series.filter(|(series, _)| {
            let (found, with) = series.split_once('{').unwrap_or((series, ""));
            found == name && labels.iter().all(|label| with.contains(label.as_str()))
        });
        wanted
            .filter_map(|(_, value)| value.parse::<f64>().ok())
            .sum()
    }

    /// What makes the store fail, and holds its commits.
    pub fn faults(&self) -> &Faults {
        &self.ground.faults
    }

    /// Puts this TOML in force instead of all that was said before, as a reload does: clients stay connected. Where it is
    /// refused, the old one stays in force.
    pub async fn reconfigure(&mut self, toml: &str) -> Result<(), SetupError> {
        let config = self.ground.config(toml)?;
        let applied = self.thread.reconfigure(Arc::new(config.clone())).await;
        let refused = |error| StartError::Relay(crate::running::StartError::Extension(error));
        applied.map_err(refused)?;
        (self.config, self.text) = (config, toml.to_owned());
        Ok(())
    }

    /// Stops the relay in order and starts it again: same store, clock and key, another port.
    pub async fn restart(self) -> Self {
        let TestRelay {
            thread,
            text,
            ground,
            ..
        } = self;
        thread.stop().await;
        Self::again(ground, text).await
    }

    /// Kills the relay and starts it again: what is under way is lost, no extension says goodbye and no cursor is saved;
    /// what was committed is there. Same store, clock and key, another port.
    pub async fn kill_and_restart(self) -> Self {
        let TestRelay {
            thread,
            text,
            ground,
            ..
        } = self;
        thread.kill().await;
        Self::again(ground, text).await
    }

    /// What a backup takes of the extensions' files at the moment, while the relay goes on.
    pub async fn back_up(&self) -> Backup {
        Backup::of(self).await
    }

    /// The rows of an extension that a backup takes, by key.
    pub fn backed_up_rows(&self, extension: &str) -> Vec<KvRow> {
        let compiled = self.ground.compiled;
        let rows = backup::all_rows(&*self.ground.store, extension).into_iter();
        rows.filter(|(key, _)| is_backed_up(compiled, extension, key))
            .collect()
    }

    /// Kills the relay and starts what a restore leaves of it: the events and rows that it had, but for rows which no backup
    /// takes, and a new data directory with the files of this backup. Same clock and key, another port. A file outside of
    /// the data directory is put back where it is gone.
    pub async fn kill_and_restore(self, backup: &Backup) -> Self {
        let TestRelay {
            thread,
            text,
            mut ground,
            ..
        } = self;
        thread.kill().await;
        ground.lose_directory();
        backup.put_back(ground.directory(), ground.compiled, &*ground.store);
        Self::again(ground, text).await
    }

    async fn again(ground: Ground, text: String) -> Self {
        match Self::start(ground, text, || ()).await {
            Ok(relay) => relay,
            Err(error) => panic!("the relay did not start again: {error}"),
        }
    }

    /// Stops the relay in order: everything that was answered OK is stored, extensions say goodbye.
    pub async fn stop(self) {
        self.thread.stop().await;
    }

    /// Where the relay listens.
    pub fn address(&self) -> SocketAddr {
        self.thread.address
    }

    /// The relay's address as clients know it: `network.relay_url` where the test sets it, else `ws://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        let own = || format!("ws://{}", self.authority());
        self.config.network.relay_url.clone().unwrap_or_else(own)
    }

    /// The same for HTTP, without a slash at its end; who signs a request (NIP-98) names it.
    pub fn http_url(&self) -> String {
        let url = self.url().replacen("ws", "http", 1);
        url.trim_end_matches('/').to_owned()
    }

    fn authority(&self) -> String {
        self.thread.address.to_string()
    }
}
