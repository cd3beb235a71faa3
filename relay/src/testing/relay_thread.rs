//! The thread on which a relay under test lives, with an actix system of its own.
//!
//! Invariant: however it ends, nothing of the relay is left behind: no thread, no listener, no writer on the store.
//! Callers are on any runtime, or on none.

use super::wait::DEADLINE;
use super::{Faults, wait};
use crate::config::Config;
use crate::extension::{ExtensionError, HostHandle};
use crate::parts::Parts;
use crate::server::{Server, StartError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// What the relay is told from other threads.
enum Order {
    Reconfigure(Arc<Config>, oneshot::Sender<Result<(), ExtensionError>>),
    /// In order, as at the end of a day.
    Stop,
    /// As by a failure of power.
    Kill,
}

/// Dropping it kills the relay, and waits until it is gone or the thread plainly hangs.
#[derive(Debug)]
pub(super) struct RelayThread {
    pub(super) address: SocketAddr,
    pub(super) extensions: HostHandle,
    orders: mpsc::UnboundedSender<Order>,
    faults: Faults,
    ended: std_mpsc::Receiver<()>,
}

/// How long a drop may hold its own thread.
const PATIENCE: Duration = Duration::from_secs(5);

impl RelayThread {
    /// Starts a relay; `before` runs on its thread first, and what it returns lives as long as the relay.
    pub(super) async fn start<T>(
        parts: Parts,
        faults: Faults,
        before: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Self, StartError> {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (started, starting) = oneshot::channel();
        let (ending, ended) = std_mpsc::channel();
        let thread = std::thread::Builder::new().name("test-relay".into());
        thread.spawn({
            let faults = faults.clone();
            move || {
                let _kept = before();
                actix_rt::System::new().block_on(live(parts, &faults, started, inbox));
                // Nobody may be waiting.
                let _ = ending.send(());
            }
        })?;
        let started = wait::within("the start of the relay", starting).await;
        let started = started.map_err(|_| std::io::Error::other("the relay's thread panicked"));
        let (address, extensions) = started??;
        Ok(RelayThread {
            address,
            extensions,
            orders,
            faults,
            ended,
        })
    }

    pub(super) async fn reconfigure(&self, config: Arc<Config>) -> Result<(), ExtensionError> {
        let (reply, answer) = oneshot::channel();
        let _ = self.orders.send(Order::Reconfigure(config, reply));
        let answer = wait::within("the new configuration", answer).await;
        answer.expect("the relay runs while its handle lives")
    }

    /// Ends the relay in order.
    pub(super) async fn stop(self) {
        self.end(Order::Stop).await;
    }

    /// Ends it at once: what is not committed is lost, nobody is told.
    pub(super) async fn kill(self) {
        self.end(Order::Kill).await;
    }

    async fn end(mut self, order: Order) {
        let _ = self.orders.send(order);
        // The thread that waits must not be the caller's: its runtime may have clients to serve.
        let ended = std::mem::replace(&mut self.ended, std_mpsc::channel().1);
        let waiting = tokio::task::spawn_blocking(move || ended.recv_timeout(DEADLINE));
        let in_time = waiting.await.is_ok_and(|ended| ended.is_ok());
        assert!(in_time, "the relay did not end");
    }
}

impl Drop for RelayThread {
    fn drop(&mut self) {
        self.faults.cut();
        let _ = self.orders.send(Order::Kill);
        let _ = self.ended.recv_timeout(PATIENCE);
    }
}

async fn live(
    parts: Parts,
    faults: &Faults,
    started: oneshot::Sender<Result<(SocketAddr, HostHandle), StartError>>,
    mut inbox: mpsc::UnboundedReceiver<Order>,
) {
    let mut server = match Server::start(parts).await {
        Ok(server) => server,
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    let extensions = server.running.relay.extensions.clone();
    if started.send(Ok((server.address, extensions))).is_err() {
        return kill(server, faults).await;
    }
    loop {
        match inbox.recv().await {
            Some(Order::Reconfigure(config, reply)) => {
                let _ = reply.send(server.running.reconfigure(config).await);
            }
            Some(Order::Stop) => return server.stop().await,
            Some(Order::Kill) | None => return kill(server, faults).await,
        }
    }
}

async fn kill(server: Server, faults: &Faults) {
    faults.cut();
    server.kill().await;
}
