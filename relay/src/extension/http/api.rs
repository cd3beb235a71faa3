//! Routes that describe themselves: one declaration makes the route and its description in `/openapi.json`.

use super::describe::Describe;
use super::limits;
use super::operation::{Inputs, Operation};
use super::path::openness;
use super::service_token::ServiceTokens;
use super::surroundings::Settings;
use actix_web::http::Method;
use actix_web::http::header::HeaderName;
use actix_web::web::ServiceConfig;
use actix_web::{FromRequest, Handler, Responder, guard, web};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::fmt;
use std::time::Duration;

/// Collects the routes of one mount.
///
/// What a handler takes is read from its signature ([`Describe`]); what it answers is said with [`Route::answers`]. GET
/// routes answer HEAD as well. A path that is there answers methods that no mount takes with 405, and OPTIONS with what it
/// allows. Segment by segment, text comes before a parameter and that before one that may match slashes, whatever the order
/// in which they are declared; otherwise that order counts.
///
/// ```
/// use actix_web::{HttpResponse, web::{Json, Path}};
/// use trellis_relay::extension::prelude::*;
/// #[derive(Serialize, Deserialize, JsonSchema)]
/// struct Invite {
///     /// Whom it is for: a public key, as hex.
///     pubkey: String,
/// }
/// async fn list(page: Page) -> Json<PageOf<Invite>> {
///     Json(page.of(Vec::new(), |invite: &Invite| invite.pubkey.clone()))
/// }
/// async fn invite(invite: Nip98Json<Invite>) -> (Json<Invite>, actix_web::http::StatusCode) {
///     (Json(invite.body), actix_web::http::StatusCode::CREATED)
/// }
/// async fn withdraw(_signer: Nip98, _pubkey: Path<String>) -> HttpResponse {
///     HttpResponse::NoContent().finish()
/// }
/// fn register<E: Extension>(hooks: &mut Registrar<E>) {
///     hooks.api(Mount::prefix("/api/invites"), |api| {
///         api.about("Invitations to this relay.");
///         api.get("/", list).summary("Invites that are open").answers::<PageOf<Invite>>(200);
///         api.post("/", invite).summary("Invite a key").answers::<Invite>(201);
///         api.delete("/{pubkey}", withdraw).summary("Withdraw an invite").answers_nothing(204);
///     });
/// }
/// ```
pub struct Api {
    declared: Vec<Declared>,
    schemas: SchemaGenerator,
    about: Option<String>,
    tokens: Option<ServiceTokens>,
    settings: Settings,
}

/// A route, and how to make it on a worker.
pub(super) struct Declared {
    pub(super) operation: Operation,
    /// If it is another than the scope's.
    max_body_bytes: Option<usize>,
    make: Box<dyn Fn() -> actix_web::Route + Send + Sync>,
}

/// What an [`Api`] has collected.
pub(super) struct ApiParts {
    pub(super) declared: Vec<Declared>,
    pub(super) schemas: Map<String, Value>,
    pub(super) about: Option<String>,
    pub(super) tokens: Option<ServiceTokens>,
    pub(super) settings: Settings,
}

impl Default for Api {
    fn default() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Api {
            declared: Vec::new(),
            schemas: settings.into_generator(),
            about: None,
            tokens: None,
            settings: Settings::default(),
        }
    }
}

impl Api {
    /// What the routes are for, in a sentence or two.
    pub fn about(&mut self, text: impl Into<String>) -> &mut Self {
        self.about = Some(text.into());
        self
    }

    /// The tokens that [`ServiceToken`](super::ServiceToken) knows.
    pub fn service_tokens(&mut self, tokens: &ServiceTokens) -> &mut Self {
        self.tokens = Some(tokens.clone());
        self
    }

    /// The absolute URL under which clients know the mount, where a proxy in front gives it another than the relay's:
    /// requests are signed for it (NIP-98).
    pub fn known_as(&mut self, url: impl Into<String>) -> &mut Self {
        self.settings.known_as = Some(url.into());
        self
    }

    /// How far the time of a signature may be off (NIP-98); 60 s unless it is set. Whole seconds.
    pub fn nip98_window(&mut self, window: Duration) -> &mut Self {
        self.settings.nip98_window_s = window.as_secs();
        self
    }

    /// Bodies may have so many bytes, unless a route says otherwise; 256 KiB unless it is set. A handler that reads its
    /// body as a stream counts for itself.
    pub fn max_body_bytes(&mut self, max_bytes: usize) -> &mut Self {
        self.settings.max_body_bytes = max_bytes;
        self
    }

    /// Web pages of every origin may call these routes, whatever `network.allowed_origins` says.
    pub fn any_origin(&mut self) -> &mut Self {
        self.settings.any_origin = true;
        self
    }

    /// Errors say why in this header as well, for clients that look there: all that this mount answers, 404 and 405 among
    /// them. A handler that sets it itself has the last word.
    pub fn reason_header(&mut self, name: HeaderName) -> &mut Self {
        self.settings.reason_header = Some(name);
        self
    }

    /// A route for GET and HEAD.
    pub fn get<F, Args>(&mut self, path: &str, handler: F) -> Route<'_>
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + Describe + 'static,
        F::Output: Responder + 'static,
    {
        self.described(Method::GET, path, handler)
    }

    /// A route for HEAD alone, where it is not answered as GET is.
    pub fn head<F, Args>(&mut self, path: &str, handler: F) -> Route<'_>
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + Describe + 'static,
        F::Output: Responder + 'static,
    {
        self.described(Method::HEAD, path, handler)
    }

    /// A route for POST.
    pub fn post<F, Args>(&mut self, path: &str, handler: F) -> Route<'_>
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + Describe + 'static,
        F::Output: Responder + 'static,
    {
        self.described(Method::POST, path, handler)
    }

    /// A route for PUT.
    pub fn put<F, Args>(&mut self, path: &str, handler: F) -> Route<'_>
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + Describe + 'static,
        F::Output: Responder + 'static,
    {
        self.described(Method::PUT, path, handler)
    }

    /// A route for PATCH.
    pub fn patch<F, Args>(&mut self, path: &str, handler: F) -> Route<'_>
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + Describe + 'static,
        F::Output: Responder + 'static,
    {
        self.described(Method::PATCH, path, handler)
    }

    /// A route for DELETE.
    pub fn delete<F, Args>(&mut self, path: &str, handler: F) -> Route<'_>
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + Describe + 'static,
        F::Output: Responder + 'static,
    {
        self.described(Method::DELETE, path, handler)
    }

    /// A route with any handler of actix-web: what it takes is described by hand, with [`Route::takes`].
    pub fn route<F, Args>(&mut self, method: Method, path: &str, handler: F) -> Route<'_>
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let operation = Operation::new(method, path);
        self.declared.push(Declared {
            operation,
            max_body_bytes: None,
            make: Box::new(move || web::route().to(handler.clone())),
        });
        Route {
            at: self.declared.len() - 1,
            api: self,
        }
    }

    fn described<F, Args>(&mut self, method: Method, path: &str, handler: F) -> Route<'_>
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + Describe + 'static,
        F::Output: Responder + 'static,
    {
        let mut route = self.route(method, path, handler);
        route.takes(Args::describe);
        route
    }

    pub(super) fn into_parts(mut self) -> ApiParts {
        ApiParts {
            schemas: self.schemas.take_definitions(true),
            declared: self.declared,
            about: self.about,
            tokens: self.tokens,
            settings: self.settings,
        }
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Api({} routes)", self.declared.len())
    }
}

/// A route that was declared, to say more about it.
#[derive(Debug)]
pub struct Route<'a> {
    api: &'a mut Api,
    at: usize,
}

impl Route<'_> {
    /// What it does, in a few words.
    pub fn summary(&mut self, text: impl Into<String>) -> &mut Self {
        self.declared().operation.summary = Some(text.into());
        self
    }

    /// What there is to know beside.
    pub fn description(&mut self, text: impl Into<String>) -> &mut Self {
        self.declared().operation.description = Some(text.into());
        self
    }

    /// It answers JSON of this type with this status.
    pub fn answers<T: JsonSchema>(&mut self, code: u16) -> &mut Self {
        self.takes(|inputs| {
            let schema = inputs.schemas.subschema_for::<T>();
            let content = json!({ "application/json": { "schema": schema } });
            inputs.answer(code, Some(content), None);
        })
    }

    /// It answers a body of another kind: `image/png`, `text/plain`, ...
    pub fn answers_with(&mut self, code: u16, media_type: &str) -> &mut Self {
        self.takes(|inputs| {
            let mut content = Map::new();
            content.insert(media_type.to_owned(), json!({}));
            inputs.answer(code, Some(content.into()), None);
        })
    }

    /// It answers without a body.
    pub fn answers_nothing(&mut self, code: u16) -> &mut Self {
        self.takes(|inputs| inputs.answer(code, None, None))
    }

    /// When it answers this error; all errors have the same form.
    pub fn fails(&mut self, code: u16, when: &str) -> &mut Self {
        self.takes(|inputs| {
            let error = json!({ "$ref": "#/components/schemas/Error" });
            let content = json!({ "application/json": { "schema": error } });
            inputs.answer(code, Some(content), Some(when));
        })
    }

    /// Its body may have so many bytes, whatever the other routes' may.
    pub fn max_body_bytes(&mut self, max_bytes: usize) -> &mut Self {
        self.declared().max_body_bytes = Some(max_bytes);
        self
    }

    /// Says what it takes beside what its handler's signature tells.
    pub fn takes(&mut self, describe: impl FnOnce(&mut Inputs<'_>)) -> &mut Self {
        describe(&mut Inputs {
            operation: &mut self.api.declared[self.at].operation,
            schemas: &mut self.api.schemas,
        });
        self
    }

    fn declared(&mut self) -> &mut Declared {
        &mut self.api.declared[self.at]
    }
}

impl fmt::Debug for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Declared({:?})", self.operation)
    }
}

/// Adds routes to an actix scope, those that are more open after those that are less. What they do not take, they leave to
/// the next mount.
pub(super) fn add_routes(config: &mut ServiceConfig, declared: &[Declared], is_prefix: bool) {
    let mut in_order: Vec<&Declared> = declared.iter().collect();
    in_order.sort_by_cached_key(|it| openness(&it.operation.path));
    for route in in_order {
        let (method, path) = (&route.operation.method, route.operation.nameless_path());
        let has_own_head = || {
            declared.iter().any(|it| {
                it.operation.method == Method::HEAD && it.operation.nameless_path() == path
            })
        };
        let with_head = *method == Method::GET && !has_own_head();
        let method = method.clone();
        let takes = guard::fn_guard(move |context| {
            let asked = &context.head().method;
            *asked == method || (with_head && *asked == Method::HEAD)
        });
        let mut resource =
            web::resource(patterns_of(&route.operation.path, is_prefix)).guard(takes);
        if let Some(max_bytes) = route.max_body_bytes {
            resource = limits::set_for(resource, max_bytes);
        }
        config.service(resource.route((route.make)()));
    }
}

/// As actix is told. Under a prefix `/` is the prefix itself as well.
pub(super) fn patterns_of(path: &str, is_prefix: bool) -> Vec<String> {
    match path {
        "/" if is_prefix => vec![String::new(), "/".to_owned()],
        path => vec![path.to_owned()],
    }
}
