//! The methods that overrule the configuration: name, description, icon, mode, notice and maintenance window.
//!
//! An empty value gives the configuration its say again.

use super::decisions::done;
use super::params::Params;
use crate::config::{Mode, Timestamp};
use crate::moderation::{Row, Settings, Window};
use crate::moderator;
use crate::relay::Relay;
use serde_json::Value;
use std::sync::Arc;

type Answer = Result<Value, String>;

const NAME_CHARS: usize = 200;
const DESCRIPTION_CHARS: usize = 5_000;
const ICON_CHARS: usize = 2_000;
const NOTICE_CHARS: usize = 2_000;

pub(super) async fn change_name(relay: &Arc<Relay>, params: &Params<'_>) -> Answer {
    let name = unless_empty(params.words(0, NAME_CHARS)?);
    change(relay, |settings| settings.name = name).await
}

pub(super) async fn change_description(relay: &Arc<Relay>, params: &Params<'_>) -> Answer {
    let description = unless_empty(params.words(0, DESCRIPTION_CHARS)?);
    change(relay, |settings| settings.description = description).await
}

pub(super) async fn change_icon(relay: &Arc<Relay>, params: &Params<'_>) -> Answer {
    let icon = unless_empty(params.words(0, ICON_CHARS)?);
    let is_good = |icon: &String| {
        url::Url::parse(icon).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
    };
    if icon.as_ref().is_some_and(|icon| !is_good(icon)) {
        return Err(params.wrong(0, "an http or https URL"));
    }
    change(relay, |settings| settings.icon = icon).await
}

pub(super) async fn change_mode(relay: &Arc<Relay>, params: &Params<'_>) -> Answer {
    let mode = match unless_empty(params.words(0, NAME_CHARS)?) {
        None => None,
        Some(mode) => {
            let mode = serde_json::from_value::<Mode>(Value::String(mode));
            Some(mode.map_err(|_| {
                let allowed =
                    "normal, maintenance, no_new_registrations, no_new_groups or read_only";
                params.wrong(0, allowed)
            })?)
        }
    };
    change(relay, move |settings| settings.mode = mode).await
}

pub(super) async fn change_notice(relay: &Arc<Relay>, params: &Params<'_>) -> Answer {
    let notice = unless_empty(params.words(0, NOTICE_CHARS)?);
    change(relay, |settings| settings.notice = notice).await
}

pub(super) async fn change_maintenance(relay: &Arc<Relay>, params: &Params<'_>) -> Answer {
    let (from, until) = (time(params, 0)?, time(params, 1)?);
    if let (Some(from), Some(until)) = (from, until)
        && from >= until
    {
        return Err(params.wrong(1, "a time after the first"));
    }
    let window = (from.is_some() || until.is_some()).then_some(Window { from, until });
    change(relay, move |settings| settings.window = window).await
}

/// A time, or none for null and an empty text.
fn time(params: &Params<'_>, at: usize) -> Result<Option<Timestamp>, String> {
    let value = params.value(at);
    if value.is_null() || value.as_str() == Some("") {
        return Ok(None);
    }
    serde_json::from_value(value.clone())
        .map(Some)
        .map_err(|_| {
            params.wrong(
                at,
                "a time, such as \"2030-01-31T22:00:00Z\" or seconds since 1970, or null",
            )
        })
}

fn unless_empty(text: String) -> Option<String> {
    (!text.trim().is_empty()).then_some(text)
}

async fn change(relay: &Arc<Relay>, edit: impl FnOnce(&mut Settings) + 'static) -> Answer {
    let changed = moderator::change(relay, None, move |now| {
        let mut settings = now.settings.clone();
        edit(&mut settings);
        vec![Row::of_settings(&settings)]
    });
    done(changed.await)
}
