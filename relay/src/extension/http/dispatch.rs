//! Passes requests on to the Apps of extensions.
//!
//! Invariant: an extension's handler runs under its hook's watch: a panic answers 500, is counted, and harms no other
//! request; holding the thread is noticed. It runs on the worker all the same, so it must not block.

use super::super::handle::HostHandle;
use super::super::hook::{Fault, Hook, Panicked};
use super::super::panics;
use super::super::shared::SharedHooks;
use super::answer::{self, NOTHING};
use super::error::UNABLE;
use super::routes::{Mounted, Routes};
use super::{Mount, body};
use crate::own_host::{LocalAddress, local_address, named_host};
use actix_service::boxed::BoxService;
use actix_service::{IntoServiceFactory, Service, ServiceFactory, boxed, fn_service};
use actix_web::dev::{AppConfig, Payload, ServiceRequest, ServiceResponse};
use actix_web::guard::GuardContext;
use actix_web::http::{Method, StatusCode};
use actix_web::web::ServiceConfig;
use actix_web::{App, Error, HttpMessage, HttpRequest, HttpResponse, web};
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll};

type Request = actix_http::Request;
/// An App of one mount, its type erased.
pub(super) type MountedApp = BoxService<Request, ServiceResponse, Error>;

/// Mounts the routes of all extensions, now and in future, into an actix App. Call it before the App's own routes:
/// prefixes and Host names come before those, root mounts after.
///
/// ```no_run
/// use actix_web::{App, web};
/// use trellis_relay::extension::{HostHandle, http};
/// fn serve(extensions: &HostHandle) {
///     let extensions = http::configure(extensions);
///     let app = move || {
///         App::new()
///             .configure(&extensions)
///             .route("/livez", web::get().to(async || "alive"))
///     };
///     # let _ = app;
/// }
/// ```
pub fn configure(extensions: &HostHandle) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let shared = extensions.hooks().clone();
    move |config: &mut ServiceConfig| {
        let dispatcher = Rc::new(Dispatcher::new(shared.clone()));
        DISPATCHERS.with_borrow_mut(|all| {
            all.retain(|other| other.strong_count() > 0);
            all.push(Rc::downgrade(&dispatcher));
        });
        let (claims, early, late) = (dispatcher.clone(), dispatcher.clone(), dispatcher);
        let claimed = web::scope("")
            .guard(actix_web::guard::fn_guard(move |context| {
                claims.claims(context)
            }))
            .default_service(fn_service(move |request| early.clone().serve(request)));
        config.service(claimed);
        config.default_service(fn_service(move |request| late.clone().serve(request)));
    }
}

thread_local! {
    static DISPATCHERS: RefCell<Vec<Weak<Dispatcher>>> = const { RefCell::new(Vec::new()) };
}

/// Lets this thread go of mounts that are out of date, or an instance would live until the next request for anything
/// comes to this worker.
pub(crate) fn look_again() {
    let dispatchers = DISPATCHERS.with_borrow(Vec::clone);
    for dispatcher in dispatchers.iter().filter_map(Weak::upgrade) {
        dispatcher.routes();
    }
}

/// One worker's view of all mounts.
struct Dispatcher {
    shared: Arc<SharedHooks>,
    routes: RefCell<Rc<Routes>>,
}

impl Dispatcher {
    fn new(shared: Arc<SharedHooks>) -> Self {
        let routes = RefCell::new(Rc::new(Routes::of(&shared.load())));
        Dispatcher { shared, routes }
    }

    fn routes(&self) -> Rc<Routes> {
        let mut routes = self.routes.borrow_mut();
        if routes.generation != self.shared.generation() {
            *routes = Rc::new(Routes::of(&self.shared.load()));
        }
        routes.clone()
    }

    fn claims(&self, context: &GuardContext<'_>) -> bool {
        let head = context.head();
        self.routes().claims(named_host(head), head.uri.path())
    }

    /// Asks one mount after the other; the first that has a route answers. Only where none has one it is said what there is
    /// instead: another may have what the one before has not.
    async fn serve(self: Rc<Self>, request: ServiceRequest) -> Result<ServiceResponse, Error> {
        let (request, mut payload) = request.into_parts();
        let routes = self.routes();
        let candidates = routes.candidates(named_host(request.head()), request.path());
        let candidates: Vec<_> = candidates.cloned().collect();
        for mounted in &candidates {
            let mut response = match ask(mounted, &request, payload).await {
                Ok(Some(response)) => response,
                Ok(None) => answer::error(StatusCode::INTERNAL_SERVER_ERROR, UNABLE),
                Err(error) => HttpResponse::from_error(error),
            };
            let unrouted = response.extensions_mut().remove::<Unrouted>();
            match unrouted {
                Some(Unrouted(unread)) => payload = unread,
                None => {
                    note_answer(&request, mounted);
                    let scope = mounted.scope();
                    let reason = scope.and_then(|it| it.settings.reason_header.as_ref());
                    let response = answer::finish(mounted.hook.owner.name, reason, response);
                    return Ok(ServiceResponse::new(request, response));
                }
            }
        }
        let mut response = say_what_there_is(&request, &candidates);
        let mut scopes = candidates.iter().filter_map(|mounted| mounted.scope());
        let reason = scopes.find_map(|scope| scope.settings.reason_header.as_ref());
        let text = match response.status() {
            StatusCode::METHOD_NOT_ALLOWED => answer::no_method(request.method()),
            _ => NOTHING.to_owned(),
        };
        if response.status().is_client_error() {
            answer::tell_reason(&mut response, reason, &text);
        }
        Ok(ServiceResponse::new(request, response))
    }
}

/// The methods of a path that is there, or that nothing is.
fn say_what_there_is(request: &HttpRequest, candidates: &[Rc<Mounted>]) -> HttpResponse {
    let path = request.match_info().as_str();
    let scopes = candidates.iter().filter_map(|mounted| mounted.scope());
    let methods: Vec<&Method> = scopes.flat_map(|scope| scope.methods_at(path)).collect();
    let has_path = |mounted: &&Rc<Mounted>| {
        let scope = mounted.scope();
        scope.is_some_and(|scope| !scope.methods_at(path).is_empty())
    };
    if let Some(mounted) = candidates.iter().find(has_path) {
        note_answer(request, mounted);
        return answer::refuse_method(request.method(), &methods);
    }
    let first = candidates.first().and_then(|mounted| mounted.scope());
    if first.is_some_and(|scope| scope.mount != Mount::Root && scope.settings.any_origin) {
        request.extensions_mut().insert(OpenToAll);
    }
    answer::error(StatusCode::NOT_FOUND, NOTHING)
}

/// Leaves behind for the core who answered.
fn note_answer(request: &HttpRequest, mounted: &Mounted) {
    let Some(scope) = mounted.scope() else {
        return;
    };
    let mut notes = request.extensions_mut();
    notes.insert(MountedAt(scope.mount.to_string()));
    if scope.settings.any_origin {
        notes.insert(OpenToAll);
    }
}

/// In the extensions of a request: web pages of all origins may read the answer.
pub(crate) struct OpenToAll;

/// In the extensions of a request that an extension answered: where it is mounted.
pub(crate) struct MountedAt(pub(crate) String);

/// In the extensions of a response: no route was found, and here is the payload for whoever comes next.
struct Unrouted(Payload);

/// Passes the request to one mount. `None` if a handler panicked.
async fn ask(
    mounted: &Rc<Mounted>,
    outer: &HttpRequest,
    payload: Payload,
) -> Result<Option<HttpResponse>, Error> {
    let hook = &mounted.hook;
    let made = mounted.app.get_or_try_init(async || {
        let app = Contained::new(hook, make_app(mounted, outer.app_config().clone()));
        app.await.flatten().ok_or(Panicked)
    });
    let Ok(app) = made.await else {
        return Ok(None);
    };
    let mut inner = Request::with_payload(payload);
    *inner.head_mut() = outer.head().clone();
    // Another request has no data of the connection.
    let local = LocalAddress(local_address(outer));
    outer.extensions_mut().insert(local);
    // What the core noted about the request goes along, and comes back.
    std::mem::swap(&mut *inner.extensions_mut(), &mut *outer.extensions_mut());
    let Some(answer) = Contained::new(hook, async { app.call(inner).await }).await else {
        return Ok(None);
    };
    let (inner, response) = answer?.into_parts();
    std::mem::swap(&mut *inner.extensions_mut(), &mut *outer.extensions_mut());
    Ok(Some(body::watched(hook, response)))
}

/// Makes the App of a mount. `None` if actix refuses it.
async fn make_app(mounted: &Mounted, config: AppConfig) -> Option<MountedApp> {
    let scope = mounted.scope()?;
    let host = &mounted.hook.owner.host;
    let app = App::new().default_service(fn_service(unrouted));
    let app = match &scope.mount {
        Mount::Prefix(path) => {
            app.service(web::scope(path).configure(|config| scope.add_to(config, host)))
        }
        Mount::Root | Mount::Host(_) => app.configure(|config| scope.add_to(config, host)),
    };
    let service = app.into_factory().new_service(config).await.ok()?;
    Some(boxed::service(service))
}

async fn unrouted(request: ServiceRequest) -> Result<ServiceResponse, Error> {
    let (request, payload) = request.into_parts();
    let mut response = HttpResponse::NotFound().finish();
    response.extensions_mut().insert(Unrouted(payload));
    Ok(ServiceResponse::new(request, response))
}

/// A future of an extension that runs on a worker's thread; `None` if it panicked.
struct Contained<'h, F> {
    hook: &'h Hook,
    /// `None` once it is dropped.
    future: Option<Pin<Box<F>>>,
}

impl<'h, F: Future> Contained<'h, F> {
    fn new(hook: &'h Hook, future: F) -> Self {
        Contained {
            hook,
            future: Some(Box::pin(future)),
        }
    }
}

impl<F: Future> Future for Contained<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let hook = self.hook;
        let Some(future) = &mut self.future else {
            return Poll::Ready(None);
        };
        match hook.contain(|| future.as_mut().poll(context)) {
            Ok(polled) => polled.map(Some),
            Err(Panicked) => {
                hook.fault(Fault::Panicked);
                Poll::Ready(None)
            }
        }
    }
}

impl<F> Drop for Contained<'_, F> {
    /// A client that goes drops what runs for it.
    fn drop(&mut self) {
        let future = self.future.take();
        if panics::contain_as(self.hook.owner.name, || drop(future)).is_err() {
            self.hook.owner.count_fault("drop");
        }
    }
}
