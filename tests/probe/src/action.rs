//! What a hook is asked to do instead of its duty.

use std::time::Duration;
use trellis_relay::event::Event;
use trellis_relay::filter::Filter;

/// A word of the configuration, of an event's tag `["probe", HOOK, ACTION]`, or of a filter's `"#x": ["HOOK ACTION"]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Say yes.
    Pass,
    /// Say no: reject, veto, keep, hide, close.
    No,
    /// Accept without storing.
    Shadow,
    /// Leave what is tagged `t` = `open`.
    Narrow,
    /// Hide from whom `request_async` has not loaded.
    Loaded,
    /// Say yes once somebody has posted to `/probe/release`.
    Wait,
    /// Publish an event in answer.
    Publish,
    /// Publish an event in answer that asks for an answer as well.
    Echo,
    /// Block the thread on publishing.
    PublishBlocking,
    /// Say what makes no sense, or another thing each time.
    Nonsense,
    /// Say or write too much.
    Flood,
    /// Say yes, and keep a megabyte.
    Leak,
    /// Panic with what panics when it is dropped.
    Bomb,
    /// Panic.
    Panic,
    /// Fail.
    Error,
    /// Fail the first time, then say yes.
    Flaky,
    /// Give no answer; hold the thread for a second where there is no other way.
    Hang,
    /// Hold the thread for a second though there is another way.
    Block,
}

/// Longer than any hook may hold its thread unnoticed.
pub(crate) const HELD: Duration = Duration::from_secs(1);

impl Action {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "pass" => Action::Pass,
            "no" => Action::No,
            "shadow" => Action::Shadow,
            "narrow" => Action::Narrow,
            "loaded" => Action::Loaded,
            "wait" => Action::Wait,
            "publish" => Action::Publish,
            "echo" => Action::Echo,
            "publish_blocking" => Action::PublishBlocking,
            "nonsense" => Action::Nonsense,
            "flood" => Action::Flood,
            "leak" => Action::Leak,
            "bomb" => Action::Bomb,
            "panic" => Action::Panic,
            "error" => Action::Error,
            "flaky" => Action::Flaky,
            "hang" => Action::Hang,
            "block" => Action::Block,
            _ => return None,
        })
    }

    /// What an event asks of a hook.
    pub(crate) fn of_event(event: &Event, hook: &str) -> Option<Self> {
        let asked = event.tags().find_map(|tag| {
            let mut items = tag.items();
            let is_ours = items.next()? == "probe" && items.next()? == hook;
            is_ours.then(|| items.next()).flatten()
        });
        Self::parse(&asked?)
    }

    /// What a filter asks of a hook.
    pub(crate) fn of_filter(filter: &Filter, hook: &str) -> Option<Self> {
        let values = filter.tags.get(&b'x')?;
        let asked = values
            .iter()
            .find_map(|value| value.strip_prefix(hook)?.strip_prefix(' '));
        Self::parse(asked?)
    }
}
