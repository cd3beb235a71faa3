//! What the extractors of a handler say about the route that it serves.

use super::Current;
use super::operation::Inputs;
use actix_web::web::{Bytes, Data, Form, Header, Json, Path, Payload, Query, ReqData};
use actix_web::{Either, HttpRequest};
use schemars::JsonSchema;

/// An extractor that knows what it takes from a request, for `/openapi.json`.
///
/// Those of actix-web that are common and all of ours know it. One of your own says so in a line; one that takes nothing
/// that clients should know of says nothing:
///
/// ```
/// use trellis_relay::extension::http::{Describe, Inputs};
/// struct Locale(String);
/// impl Describe for Locale {
///     fn describe(inputs: &mut Inputs<'_>) {
///         inputs.header("Accept-Language", "In which language errors are written.");
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what it takes from a request",
    note = "its inner type may need `#[derive(JsonSchema)]`; implement `Describe` for an extractor of your own",
    note = "`api.route` takes any actix handler, and its inputs are described by hand"
)]
pub trait Describe {
    /// Adds to the description of the route.
    fn describe(_inputs: &mut Inputs<'_>) {}
}

impl<T: JsonSchema> Describe for Json<T> {
    fn describe(inputs: &mut Inputs<'_>) {
        inputs.body::<T>();
    }
}

impl<T: JsonSchema> Describe for Query<T> {
    fn describe(inputs: &mut Inputs<'_>) {
        inputs.query::<T>();
    }
}

impl<T: JsonSchema> Describe for Path<T> {
    fn describe(inputs: &mut Inputs<'_>) {
        inputs.path::<T>();
    }
}

impl<T> Describe for Form<T> {
    fn describe(inputs: &mut Inputs<'_>) {
        inputs.body_of("application/x-www-form-urlencoded");
    }
}

impl Describe for Bytes {
    fn describe(inputs: &mut Inputs<'_>) {
        inputs.body_of("application/octet-stream");
    }
}

impl Describe for Payload {
    fn describe(inputs: &mut Inputs<'_>) {
        inputs.body_of("application/octet-stream");
    }
}

impl Describe for String {
    fn describe(inputs: &mut Inputs<'_>) {
        inputs.body_of("text/plain");
    }
}

impl<T: Describe> Describe for Option<T> {
    fn describe(inputs: &mut Inputs<'_>) {
        inputs.optional(T::describe);
    }
}

impl<T: Describe, E> Describe for Result<T, E> {
    fn describe(inputs: &mut Inputs<'_>) {
        inputs.optional(T::describe);
    }
}

impl<L: Describe, R: Describe> Describe for Either<L, R> {
    fn describe(inputs: &mut Inputs<'_>) {
        inputs.either(L::describe, R::describe);
    }
}

impl<E> Describe for Current<E> {}
impl<T: ?Sized> Describe for Data<T> {}
impl<T: Clone> Describe for ReqData<T> {}
impl<T> Describe for Header<T> {}
impl Describe for HttpRequest {}
impl Describe for actix_web::http::Method {}
impl Describe for actix_web::http::Uri {}

/// For the arguments of a handler.
macro_rules! describe_all {
    ($($name:ident)*) => {
        impl<$($name: Describe),*> Describe for ($($name,)*) {
            fn describe(_inputs: &mut Inputs<'_>) {
                $($name::describe(_inputs);)*
            }
        }
    };
}

describe_all!();
describe_all!(A);
describe_all!(A B);
describe_all!(A B C);
describe_all!(A B C D);
describe_all!(A B C D E);
describe_all!(A B C D E F);
describe_all!(A B C D E F G);
describe_all!(A B C D E F G H);
