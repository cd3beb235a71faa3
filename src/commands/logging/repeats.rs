//! Warnings and errors that repeat: the first of each place and extension are shown, the rest of ten seconds is counted.
//!
//! Invariant: what is left out is told in one line when the ten seconds are over, so nothing goes unnoticed. A place is
//! where the line is written in the source, so there are as many as the program has.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lines of one place that are shown in a window.
const SHOWN: u32 = 10;
const WINDOW: Duration = Duration::from_secs(10);

/// The layer; it leaves out, and formats nothing.
#[derive(Default)]
pub(super) struct Repeats;

/// A place in the source and, where one is named, the extension that it speaks of.
type Place = (&'static str, u32, String);

struct Count {
    since: Instant,
    lines: u32,
}

static COUNTS: Mutex<Option<HashMap<Place, Count>>> = Mutex::new(None);

fn counts() -> MutexGuard<'static, Option<HashMap<Place, Count>>> {
    COUNTS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Subscriber> Layer<S> for Repeats {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::WARN || metadata.target() == TARGET {
            return true;
        }
        let mut counts = counts();
        let place = place(metadata, event);
        let count = counts.get_or_insert_default().entry(place);
        let count = count.or_insert_with(|| Count {
            since: Instant::now(),
            lines: 0,
        });
        count.lines = count.lines.saturating_add(1);
        count.lines <= SHOWN
    }
}

fn place(metadata: &'static Metadata<'static>, event: &Event<'_>) -> Place {
    #[derive(Default)]
    struct Extension(String);
    impl Visit for Extension {
        fn record_str(&mut self, field: &Field, value: &str) {
            if field.name() == "extension" {
                value.clone_into(&mut self.0);
            }
        }
        fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
    }
    let mut extension = Extension::default();
    event.record(&mut extension);
    let file = metadata.file().unwrap_or_else(|| metadata.target());
    (file, metadata.line().unwrap_or_default(), extension.0)
}

/// The target of the lines that tell of others.
const TARGET: &str = "trellis::repeats";

/// Tells what was left out in windows that are over. Call it every now and then.
pub(in super::super) fn tell_suppressed() {
    tell(WINDOW);
}

/// Tells what was left out so far. Call it at the end.
pub(super) fn tell_all_suppressed() {
    tell(Duration::ZERO);
}

fn tell(window: Duration) {
    let now = Instant::now();
    let mut over = Vec::new();
    if let Some(counts) = counts().as_mut() {
        counts.retain(|place, count| {
            let is_over = now.duration_since(count.since) >= window;
            if is_over && count.lines > SHOWN {
                over.push((place.clone(), count.lines - SHOWN));
            }
            !is_over
        });
    }
    // After the lock is gone, since the layer takes it for every line.
    for ((file, line, extension), left_out) in over {
        tracing::warn!(
            target: TARGET,
            place = format!("{file}:{line}"),
            extension,
            left_out,
            "lines like others were left out"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tracing_subscriber::layer::SubscriberExt as _;

    /// Keeps what would have been written.
    #[derive(Clone, Default)]
    struct Shown(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Shown {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            struct Text(String);
            impl Visit for Text {
                fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                    self.0.push_str(&format!("{}={value:?} ", field.name()));
                }
            }
            let mut text = Text(String::new());
            event.record(&mut text);
            self.0.lock().expect("a lock").push(text.0);
        }
    }

    #[test]
    fn c26_an_error_that_repeats_is_shown_ten_times_and_counted() {
        let shown = Shown::default();
        let lines = || shown.0.lock().expect("a lock").clone();
        let subscriber = tracing_subscriber::registry()
            .with(Repeats)
            .with(shown.clone());
        tracing::subscriber::with_default(subscriber, || {
            for round in 0..100 {
                tracing::error!(round, "the disk is full");
                tracing::info!(round, "of no concern");
            }
            let errors = lines().iter().filter(|line| line.contains("disk")).count();
            assert_eq!(errors, 10);
            assert_eq!(lines().len(), 110);
            for extension in ["one", "other"] {
                tracing::warn!(extension, "at fault");
            }
            assert_eq!(lines().len(), 112);
            tell_all_suppressed();
        });
        let lines = lines();
        let told = lines.last().expect("a line");
        assert!(told.contains("left_out=90"), "{told}");
        assert!(told.contains("repeats.rs"), "{told}");
    }
}
