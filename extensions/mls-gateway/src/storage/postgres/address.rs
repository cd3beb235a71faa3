//! A PostgreSQL URL as the driver's options.
//!
//! The driver logs parameters that it does not know, with their values; a URL's values are nobody's business. So what it
//! does not know is left out of what it gets.

use sqlx::postgres::PgConnectOptions;
use std::str::FromStr;
use trellis_relay::config::Secret;

/// Parameters that the driver knows.
const KNOWN: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// The options that the URL asks for.
pub(super) fn options(url: &Secret) -> sqlx::Result<PgConnectOptions> {
    let (address, parameters) = url.reveal().split_once('?').unwrap_or((url.reveal(), ""));
    let mut known = Vec::new();
    for parameter in parameters.split('&').filter(|it| !it.is_empty()) {
        let key = parameter.split('=').next().unwrap_or_default();
        if KNOWN.contains(&key) || key.starts_with("options[") {
            known.push(parameter);
        } else {
            tracing::warn!("database_url has a parameter that is not known; it is left out");
        }
    }
    let options = PgConnectOptions::from_str(&format!("{address}?{}", known.join("&")))?;
    Ok(match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("trellis"),
    })
}
