//! Hooks beside the flow of events: connections, HTTP, management and the command line.

use super::super::Extension;
use super::super::failure::HookError;
use super::super::hook::Call;
use super::super::http::{Api, Instance, Mount, Scope};
use super::super::payment::Payment;
use super::super::verdict::SessionNote;
use super::super::viewer::Viewer;
use super::Registrar;
use crate::kinds::Kinds;
use actix_web::web::ServiceConfig;
use serde_json::{Map, Value};
use std::future::Future;
use std::sync::Arc;

impl<E: Extension> Registrar<E> {
    /// Connections that come, authenticate and go. To do more than note it, spawn with [`Host::spawn`](crate::extension::Host::spawn).
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.session(|_me, note, viewer| {
    ///         if note == SessionNote::Closed {
    ///             println!("connection {} is gone", viewer.session());
    ///         }
    ///         Ok(())
    ///     });
    /// }
    /// ```
    pub fn session<F>(&mut self, hook: F) -> &mut Self
    where
        F: Fn(&E, SessionNote, &Viewer) -> Result<(), HookError> + Send + Sync + 'static,
    {
        let me = self.instance.clone();
        let call = move |note, viewer: &Viewer| hook(&me, note, viewer);
        self.add(Kinds::none(), Call::Session(Box::new(call)))
    }

    /// HTTP routes, as plain actix-web writes them: under a prefix, at the root, or for a Host name. Handlers get the
    /// instance with the extractor [`Current`](crate::extension::http::Current). A handler that panics answers 500.
    ///
    /// ```
    /// use actix_web::web;
    /// use trellis_relay::extension::prelude::*;
    /// async fn hello<E: Extension>(_me: Current<E>, name: web::Path<String>) -> String {
    ///     format!("hello {name}")
    /// }
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.http(Mount::prefix("/api/hello"), |routes| {
    ///         routes.route("/{name}", web::get().to(hello::<E>));
    ///     });
    /// }
    /// ```
    pub fn http<F>(&mut self, mount: Mount, routes: F) -> &mut Self
    where
        F: Fn(&mut ServiceConfig) + Send + Sync + 'static,
    {
        let me = self.instance.clone();
        let scope = Scope::plain(mount, move |config| {
            config.app_data(Instance(me.clone()));
            routes(config);
        });
        self.add(Kinds::none(), Call::Http(Box::new(scope)))
    }

    /// HTTP routes that describe themselves in `/openapi.json`: one declaration for the route and for its description.
    /// What a handler takes is read from its signature. All else is as with [`Registrar::http`].
    ///
    /// ```
    /// use actix_web::web::{Json, Path};
    /// use trellis_relay::extension::prelude::*;
    /// #[derive(Serialize, JsonSchema)]
    /// struct Greeting {
    ///     text: String,
    /// }
    /// async fn greet<E: Extension>(_me: Current<E>, name: Path<String>) -> Json<Greeting> {
    ///     Json(Greeting { text: format!("hello {name}") })
    /// }
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.api(Mount::prefix("/api/hello"), |api| {
    ///         api.get("/{name}", greet::<E>)
    ///             .summary("Greets whoever is named")
    ///             .answers::<Greeting>(200);
    ///     });
    /// }
    /// ```
    pub fn api(&mut self, mount: Mount, declare: impl FnOnce(&mut Api)) -> &mut Self {
        let mut api = Api::default();
        declare(&mut api);
        let me = self.instance.clone();
        let scope = Scope::described(mount, api, move |config| {
            config.app_data(Instance(me.clone()));
        });
        self.add(Kinds::none(), Call::Http(Box::new(scope)))
    }

    /// Adds to the relay's NIP-11 document, which is asked for often: from memory only.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.nip11(|_me, document| {
    ///         document.insert("motto".to_owned(), "good fences".into());
    ///         Ok(())
    ///     });
    /// }
    /// ```
    pub fn nip11<F>(&mut self, hook: F) -> &mut Self
    where
        F: Fn(&E, &mut Map<String, Value>) -> Result<(), HookError> + Send + Sync + 'static,
    {
        let me = self.instance.clone();
        let call = move |document: &mut Map<String, Value>| hook(&me, document);
        self.add(Kinds::none(), Call::Nip11(Box::new(call)))
    }

    /// Says that the extension takes money for what it lets in: the NIP-11 document tells that payment is required, where, and
    /// what it costs. Whom it lets in is for its other hooks.
    ///
    /// ```
    /// use trellis_relay::extension::{Payment, prelude::*};
    /// fn register<E: Extension + AsRef<Payment>>(hooks: &mut Registrar<E>) {
    ///     hooks.payment(|me| me.as_ref()).admit(1, |me, _event, _viewer| {
    ///         Ok(me.as_ref().refusal("notes cost something here").into())
    ///     });
    /// }
    /// ```
    pub fn payment<F>(&mut self, payment: F) -> &mut Self
    where
        F: Fn(&E) -> &Payment + Send + Sync + 'static,
    {
        self.nip11(move |me, document| {
            payment(me).announce(document);
            Ok(())
        })
    }

    /// A method of the relay management API (NIP-86), which is for the relay's operators alone. An `Err` is shown to
    /// them.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.rpc("countmembers", async |_me, params| match params.is_empty() {
    ///         true => Ok(3.into()),
    ///         false => Err("countmembers takes no parameters".to_owned()),
    ///     });
    /// }
    /// ```
    pub fn rpc<F, Fut>(&mut self, method: impl Into<String>, hook: F) -> &mut Self
    where
        F: Fn(Arc<E>, Vec<Value>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, String>> + Send + 'static,
    {
        let me = self.instance.clone();
        let call = Arc::new(move |params| -> _ { Box::pin(hook(me.clone(), params)) as _ });
        self.add(Kinds::none(), Call::Rpc(method.into(), call))
    }

    /// A subcommand of the command line: its name, one line about it, and what it does with the words that follow. `Ok`
    /// is printed.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks.command("greet", "greets whoever is named", async |_me, args| {
    ///         Ok(format!("hello {}", args.join(" and ")))
    ///     });
    /// }
    /// ```
    pub fn command<F, Fut>(
        &mut self,
        name: impl Into<String>,
        about: impl Into<String>,
        hook: F,
    ) -> &mut Self
    where
        F: Fn(Arc<E>, Vec<String>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, String>> + Send + 'static,
    {
        let me = self.instance.clone();
        let call = Arc::new(move |args| -> _ { Box::pin(hook(me.clone(), args)) as _ });
        self.add(
            Kinds::none(),
            Call::Command(name.into(), about.into(), call),
        )
    }
}
