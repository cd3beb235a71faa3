//! A database of the test's own, and a way to it that can be cut.

use crate::mirror::address;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Row};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// A database of the test's own.
pub(super) struct Scratch {
    name: String,
    options: PgConnectOptions,
    url: String,
}

/// The server; where there is none that is said once, past the capture of output.
fn server() -> Option<PgConnectOptions> {
    static SAID: Once = Once::new();
    let Ok(url) = std::env::var("TEST_POSTGRES_URL") else {
        let words = b"SKIPPED: PostgreSQL: TEST_POSTGRES_URL names no server; see tests/postgres\n";
        SAID.call_once(|| std::io::stderr().write_all(words).unwrap());
        return None;
    };
    Some(address::hosts(&url.as_str().into()).unwrap().remove(0))
}

async fn tell(options: &PgConnectOptions, statement: &str) {
    let mut connection = PgConnection::connect_with(options).await.unwrap();
    let statement = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
    statement.execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

impl Scratch {
    pub(super) async fn create() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = server()?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("qube_test_{}_{count}", std::process::id());
        tell(&server, &format!("CREATE DATABASE {name}")).await;
        let options = server.database(&name);
        let url = options.to_url_lossy().to_string();
        Some(Scratch { name, options, url })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The same database by other hosts.
    pub(super) fn url_by(&self, hosts: &str) -> String {
        let user = self.options.get_username();
        format!("postgresql://{user}@{hosts}/{}?sslmode=disable", self.name)
    }

    /// Three counts; nothing while there are no tables.
    pub(super) async fn counts(&self, question: &'static str) -> Option<(i64, i64, i64)> {
        let mut connection = PgConnection::connect_with(&self.options).await.ok()?;
        let row = connection.fetch_one(question).await.ok()?;
        Some((row.get(0), row.get(1), row.get(2)))
    }

    pub(super) async fn text(&self, question: &'static str) -> String {
        let mut connection = PgConnection::connect_with(&self.options).await.unwrap();
        connection.fetch_one(question).await.unwrap().get(0)
    }

    pub(super) async fn empty(&self) {
        tell(&self.options, "DROP SCHEMA qube CASCADE").await;
    }

    pub(super) async fn change(&self, statement: &str) {
        tell(&self.options, statement).await;
    }

    pub(super) async fn only_read(&self) {
        let name = &self.name;
        let statement = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
        tell(&self.options, &statement).await;
    }

    pub(super) async fn remove(self) {
        let server = server().unwrap();
        tell(
            &server,
            &format!("DROP DATABASE {} WITH (FORCE)", self.name),
        )
        .await;
    }
}

/// Stands between a relay and the server.
pub(super) struct Proxy {
    pub(super) port: u16,
    is_cut: watch::Sender<bool>,
}

impl Proxy {
    pub(super) async fn start(scratch: &Scratch) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_cut = watch::Sender::new(false);
        let (heard, options) = (is_cut.subscribe(), scratch.options.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *heard.borrow() {
                    continue;
                }
                let (heard, options) = (heard.clone(), options.clone());
                tokio::spawn(async move {
                    match options.get_socket() {
                        Some(folder) => {
                            let socket = format!(".s.PGSQL.{}", options.get_port());
                            let path: PathBuf = folder.join(socket);
                            pass(client, UnixStream::connect(path).await.unwrap(), heard).await;
                        }
                        None => {
                            let place = (options.get_host(), options.get_port());
                            pass(client, TcpStream::connect(place).await.unwrap(), heard).await;
                        }
                    }
                });
            }
        });
        Proxy { port, is_cut }
    }

    pub(super) fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    pub(super) fn mend(&self) {
        self.is_cut.send_replace(false);
    }
}

async fn pass(
    mut client: TcpStream,
    mut server: impl AsyncRead + AsyncWrite + Unpin,
    mut cut: watch::Receiver<bool>,
) {
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = cut.wait_for(|cut| *cut) => {}
    }
}
