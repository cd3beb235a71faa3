//! 9010 `update-pin-list`: the whole list, in its order.

use super::Act;
use crate::group::Pin;
use crate::state::{Refusal, State};
use trellis_relay::event::{Address, EventId};
use trellis_relay::extension::prelude::*;

/// An address has so many bytes.
const ADDRESS_BYTES_MAX: usize = 1024;

pub(super) fn update(act: Act<'_>, state: &mut State<'_>) -> Result<(), Refusal> {
    let mut pins: Vec<Pin> = Vec::new();
    for tag in act.event.tags() {
        let value = tag.value().unwrap_or_default();
        let (letter, is_good) = match tag.letter() {
            Some(b'e') => ('e', EventId::from_hex(&value).is_ok()),
            Some(b'a') => {
                let is_short = value.len() <= ADDRESS_BYTES_MAX || act.rules.is_replay;
                ('a', is_short && Address::parse(&value).is_some())
            }
            _ => continue,
        };
        if !is_good {
            let shown: String = value.chars().take(80).collect();
            let text = format!("{shown:?} is no {letter} tag that can be pinned");
            return Err(Reason::invalid(text).into());
        }
        let value = value.into_owned();
        let pin = Pin { letter, value };
        if !pins.contains(&pin) {
            pins.push(pin);
        }
    }
    if pins.len() > act.rules.max_pins {
        let text = format!("a group has at most {} pins here", act.rules.max_pins);
        return Err(Reason::restricted(text).into());
    }
    let mut display = state.display(act.id)?;
    display.pins = pins;
    state.set_display(act.id, &display)
}
