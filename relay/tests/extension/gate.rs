//! Has one of every hook that `words` has not.

use crate::words::Membership;
use actix_web::web;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trellis_relay::extension::prelude::*;

pub(crate) struct Gate {
    room: String,
    members: Mutex<Arc<Pubkeys>>,
    config: Config,
    seen: Mutex<Vec<String>>,
    failed: Mutex<bool>,
    relents: Mutex<bool>,
    host: Host,
}

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    room: String,
    members: Pubkeys,
    #[serde(default = "prefix")]
    prefix: String,
    #[serde(default)]
    fail_stored_once: bool,
    /// `stored` fails until `gate_relents` is called.
    #[serde(default)]
    refuses_stored: bool,
    #[serde(default)]
    task: String,
}

fn prefix() -> String {
    "/api/gate".to_owned()
}

impl Extension for Gate {
    const NAME: &'static str = "gate";
    type Config = Config;

    fn services(needs: &mut Needs) {
        needs.provides::<dyn Membership>();
    }

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        match &*config.room {
            "panic" => panic!("a secret that no log may show"),
            "unreachable" => return Err("room: the database does not answer".into()),
            _ => {}
        }
        Ok(Gate {
            room: config.room.clone(),
            members: Mutex::new(Arc::new(config.members.clone())),
            config,
            seen: Mutex::default(),
            failed: Mutex::default(),
            relents: Mutex::default(),
            host,
        })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks
            .admit_async(450, Duration::from_millis(500), Self::check)
            .commit([450, 30_000], Self::rising)
            .guard_removal(30_000, |me, event, _cause| {
                match event.content() == me.room.as_str() {
                    true => Ok(Removal::Keep),
                    false => Ok(Removal::Allow),
                }
            })
            .stored(440..=460, StartAt::Beginning, Self::mirror)
            .request([445, 450], Self::narrow)
            .request_async(460, Duration::from_millis(500), Self::load)
            .session(|me, note, viewer| {
                let mut seen = me.seen.lock().map_err(|_| "poisoned")?;
                seen.push(format!("{note:?} {}", viewer.session()));
                Ok(())
            })
            .http(Mount::prefix(&self.config.prefix), |routes| {
                routes
                    .route("/room", web::get().to(Self::room))
                    .route("/echo", web::post().to(async |body: String| body))
                    .route("/panic", web::get().to(Self::panics));
            })
            .http(Mount::root(), |routes| {
                routes.route("/{name}.txt", web::get().to(Self::file));
            })
            .http(Mount::host("gate.example"), |routes| {
                routes.route("/", web::get().to(async || "at the gate"));
            })
            .nip11(|me, document| {
                document.insert("room".to_owned(), me.room.clone().into());
                if me.room == "half" {
                    return Err("after the change".into());
                }
                Ok(())
            })
            .rpc("gate_seen", async |me: Arc<Self>, _params| {
                me.seen().map(Into::into)
            })
            .rpc("gate_relents", async |me: Arc<Self>, _params| {
                *me.relents.lock().map_err(|_| "poisoned")? = true;
                Ok(true.into())
            })
            .rpc("gate_fails", async |_me, params| match params.len() {
                0 => Err("gate_fails takes a parameter".to_owned()),
                _ => panic!("a secret that no log may show"),
            })
            .rpc("gate_rows", async |me: Arc<Self>, _params| {
                let rows = me.host.kv_scan(b"by/", None, 10).await;
                Ok(rows.map_err(|error| error.to_string())?.len().into())
            })
            .command(
                "gate-room",
                "says which room",
                async |me: Arc<Self>, args| Ok(format!("{} {}", me.room, args.join(" "))),
            )
            .provide(|me| me as Arc<dyn Membership>);
    }

    async fn start(self: Arc<Self>, stop: StopToken) -> Result<(), TaskError> {
        match &*self.config.task {
            "fails" => Err("again".into()),
            "panics" => panic!("a secret that no log may show"),
            _ => {
                stop.stopped().await;
                Ok(())
            }
        }
    }

    fn reload(&self, new: &Config) -> Reload {
        if new.room != self.room || new.prefix != self.config.prefix {
            return Reload::Rebuild;
        }
        *self.members.lock().unwrap() = Arc::new(new.members.clone());
        Reload::Applied
    }

    fn health(&self) -> Health {
        match &*self.room {
            "sick" => Health::Down("the room is closed".to_owned()),
            _ => Health::Ok,
        }
    }
}

impl Membership for Gate {
    fn members(&self, room: &str) -> Option<Arc<Pubkeys>> {
        (room == self.room).then(|| self.members.lock().unwrap().clone())
    }
}

impl Gate {
    async fn check(self: Arc<Self>, request: AdmitRequest) -> Result<Admit, HookError> {
        match &*request.event.content() {
            "sleep" => tokio::time::sleep(Duration::from_secs(60)).await,
            // The worst that an author can do.
            "block" => std::thread::sleep(Duration::from_secs(5)),
            "panic" => panic!("a secret that no log may show"),
            "no" => return Ok(Reason::restricted("not here").into()),
            _ => {}
        }
        Ok(Admit::Accept)
    }

    /// The content is a number that must rise; `!` panics after the write, `?` fails.
    fn rising(&self, event: &Event, tx: &mut CommitTx<'_>) -> Result<Commit, HookError> {
        if event.kind() == 30_000 {
            tx.put(b"replaced", tx.removes().len().to_string())?;
            return Ok(Commit::Accept);
        }
        let content = event.content();
        if content == "long key" {
            tx.put(&[0; 501], [])?;
        }
        let last = tx.get(b"last")?.unwrap_or_default();
        let last: u64 = String::from_utf8(last)?.parse().unwrap_or_default();
        let number = content.trim_end_matches(['!', '?']);
        tx.put(b"last", number)?;
        tx.put(format!("by/{number}").as_bytes(), [])?;
        assert!(!content.ends_with('!'), "a secret that no log may show");
        if content.ends_with('?') {
            return Err("after the write".into());
        }
        match number.parse::<u64>()? > last {
            true => Ok(Commit::Accept),
            false => Ok(Reason::invalid("stale").into()),
        }
    }

    async fn mirror(self: Arc<Self>, page: Arc<[Change]>) -> Result<(), HookError> {
        for change in page.iter() {
            let said = match change {
                Change::Stored(stored) => format!("stored {}", stored.event.content()),
                Change::Removed { kind, .. } => format!("removed {kind}"),
                Change::Gap { .. } => "gap".to_owned(),
            };
            self.seen.lock().map_err(|_| "poisoned")?.push(said);
        }
        if self.config.refuses_stored && !*self.relents.lock().map_err(|_| "poisoned")? {
            return Err("not before it is told to".into());
        }
        let mut failed = self.failed.lock().map_err(|_| "poisoned")?;
        if self.config.fail_stored_once && !std::mem::replace(&mut failed, true) {
            return Err("the database is away".into());
        }
        Ok(())
    }

    fn narrow(
        &self,
        viewer: &Viewer,
        _verb: Verb,
        filter: &mut Narrow<'_>,
    ) -> Result<Access, HookError> {
        let private = Kinds::from([445, 450]);
        if viewer.is_authenticated() {
            return Ok(Access::Allow);
        }
        if filter.asks_only_for(&private) {
            return Ok(Reason::auth_required("log in").into());
        }
        filter.drop_kinds(&private);
        Ok(Access::Allow)
    }

    async fn load(self: Arc<Self>, request: AccessRequest) -> Result<Access, HookError> {
        match request.verb {
            Verb::Req => Ok(Access::Allow),
            Verb::Count => Ok(Reason::restricted("no counting").into()),
            Verb::Neg => std::future::pending().await,
        }
    }

    async fn room(me: Current<Self>) -> String {
        me.room.clone()
    }

    async fn file(me: Current<Self>, name: web::Path<String>) -> String {
        format!("{name} of {}", me.room)
    }

    async fn panics() -> String {
        panic!("a secret that no log may show")
    }

    fn seen(&self) -> Result<Vec<String>, String> {
        let seen = self.seen.lock().map_err(|_| "poisoned")?;
        Ok(seen.clone())
    }
}
