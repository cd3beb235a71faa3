//! One JSON object a line: `timestamp`, `level`, `target`, `message`, `fields`, and `spans` where there are any.

use serde_json::{Map, Value};
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::LookupSpan;
use trellis_relay::anonymous;

/// The format.
pub(super) struct JsonLines;

impl<S> FormatEvent<S, JsonFields> for JsonLines
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let mut line = Map::new();
        line.insert("timestamp".into(), timestamp.into());
        line.insert("level".into(), metadata.level().as_str().into());
        line.insert("target".into(), metadata.target().into());
        line.insert("message".into(), fields.message.into());
        line.insert("fields".into(), fields.others.into());
        let spans: Vec<Value> = context
            .event_scope()
            .into_iter()
            .flat_map(|scope| scope.from_root())
            .map(|span| {
                let extensions = span.extensions();
                let fields = extensions.get::<FormattedFields<JsonFields>>();
                let fields = fields.and_then(|fields| serde_json::from_str(fields).ok());
                let mut told: Map<String, Value> = fields.unwrap_or_default();
                told.insert("name".into(), span.name().into());
                told.into()
            })
            .collect();
        if !spans.is_empty() {
            line.insert("spans".into(), spans.into());
        }
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// A line again, with no address in any text. Of what is told, and not of JSON, since there escapes stand where words end.
pub(super) fn without_addresses(line: &[u8]) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice::<Value>(line) else {
        let text = String::from_utf8_lossy(line);
        return anonymous::without_addresses(&text).into_owned().into();
    };
    clean(&mut value);
    format!("{value}\n").into_bytes()
}

fn clean(value: &mut Value) {
    match value {
        Value::String(text) => *text = anonymous::without_addresses(text).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(clean),
        Value::Object(fields) => fields.values_mut().for_each(clean),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What an event holds, the message apart.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn note(&mut self, field: &Field, value: Value) {
        self.others.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.message = text,
            _ => self.note(field, text.into()),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = value.to_owned(),
            _ => self.note(field, value.into()),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.note(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.note(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.note(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.note(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn c30_lines_stay_json_and_name_no_address_behind_an_escape() {
        let line = |message: &str, inner: &str| {
            let line = json!({"message": message, "fields": {"n": 7, "error": inner}, "spans": [{"of": inner}]});
            format!("{line}\n")
        };
        let told = line(
            "first\nalice@example.com",
            "peer\n203.0.113.7\t\"2001:db8::1\"",
        );
        let clean = line("first\n[removed]", "peer\n[removed]\t\"[removed]\"");
        let written = without_addresses(told.as_bytes());
        assert_eq!(String::from_utf8_lossy(&written), clean);
        let other = without_addresses(b"no JSON of 203.0.113.7\n");
        assert_eq!(other, b"no JSON of [removed]\n");
    }
}
