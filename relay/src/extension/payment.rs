//! What an extension says that takes money for what it lets in: how it is paid, and what NIP-11 tells of it.
//!
//! Invariant: whoever has to pay can do so without tying a name to a key. A table that offers cards and banks alone is
//! refused when it is read. Not here: whether somebody has paid, which is the extension's own affair.

use crate::config::TimeSpan;
use crate::reason::Reason;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// A way to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentMethod {
    /// Lightning Network.
    Lightning,
    /// Chaumian e-cash of Cashu mints.
    Cashu,
    /// Chaumian e-cash of Fedimint federations.
    Fedimint,
    /// Monero.
    Monero,
    /// Bank notes, by hand or by mail.
    Cash,
    /// Credit and debit cards.
    Card,
    /// Transfers between banks.
    BankTransfer,
    /// PayPal.
    Paypal,
    /// Another traditional processor of payments.
    Processor,
}

impl PaymentMethod {
    /// Whether paying ties the payer's name to what is paid for, with a bank or company that knows it.
    pub const fn links_identity(self) -> bool {
        match self {
            PaymentMethod::Lightning
            | PaymentMethod::Cashu
            | PaymentMethod::Fedimint
            | PaymentMethod::Monero
            | PaymentMethod::Cash => false,
            PaymentMethod::Card
            | PaymentMethod::BankTransfer
            | PaymentMethod::Paypal
            | PaymentMethod::Processor => true,
        }
    }
}

/// Ways to pay, of which at least one does not tie a name to a key; anything else is refused when it is read.
///
/// ```
/// use trellis_relay::extension::{PaymentMethod, PaymentMethods};
/// let both: PaymentMethods = serde_json::from_str(r#"["card", "cashu"]"#)?;
/// assert!(both.contains(PaymentMethod::Cashu));
/// let refused = serde_json::from_str::<PaymentMethods>(r#"["card", "paypal"]"#);
/// assert!(refused.is_err_and(|error| error.to_string().contains("lightning")));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PaymentMethods(Vec<PaymentMethod>);

const PRIVATE_WANTED: &str = "every method ties the name of the payer to a public key; offer lightning, cashu, fedimint, monero or \
                              cash as well";

impl PaymentMethods {
    /// Whether this is one of them.
    pub fn contains(&self, method: PaymentMethod) -> bool {
        self.0.contains(&method)
    }

    /// All of them, as they were written.
    pub fn iter(&self) -> std::slice::Iter<'_, PaymentMethod> {
        self.0.iter()
    }
}

impl<'de> Deserialize<'de> for PaymentMethods {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let methods = Vec::<PaymentMethod>::deserialize(deserializer)?;
        match methods.iter().all(|method| method.links_identity()) {
            true if methods.is_empty() => Err(serde::de::Error::custom(
                "no method of payment; name at least one",
            )),
            true => Err(serde::de::Error::custom(PRIVATE_WANTED)),
            false => Ok(PaymentMethods(methods)),
        }
    }
}

impl JsonSchema for PaymentMethods {
    fn schema_name() -> Cow<'static, str> {
        "PaymentMethods".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<PaymentMethod>::json_schema(generator)
    }
}

/// How an extension is paid: a table of its configuration, by whatever key the extension gives it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// Where users pay: a web address.
    #[serde(deserialize_with = "web_address")]
    pub url: String,
    /// How they can pay: "lightning", "cashu", "fedimint", "monero", "cash", "card", "bank_transfer", "paypal" or "processor".
    /// One of the first five has to be among them.
    pub methods: PaymentMethods,
    /// What it costs to be let in at all. Default nothing.
    #[serde(default)]
    pub admission: Vec<Fee>,
    /// What it costs to stay for a time. Default nothing.
    #[serde(default)]
    pub subscription: Vec<Fee>,
    /// What an event of some kinds costs. Default nothing.
    #[serde(default)]
    pub publication: Vec<Fee>,
}

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fee {
    /// How much.
    pub amount: u64,
    /// Of what: "msats", "sats", or a currency.
    pub unit: String,
    /// For how long. Default none.
    pub period: Option<TimeSpan>,
    /// For events of these kinds. Default none.
    pub kinds: Option<Vec<u16>>,
}

impl Fee {
    fn told(&self) -> Value {
        let mut told = json!({ "amount": self.amount, "unit": self.unit });
        if let Some(period) = self.period {
            told["period"] = period.as_secs().into();
        }
        if let Some(kinds) = &self.kinds {
            told["kinds"] = json!(kinds);
        }
        told
    }
}

impl Payment {
    /// Tells of it in the information document (NIP-11): `limitation.payment_required`, `payments_url` and `fees`. Where another
    /// extension has told of a payment before, its address and fees stay.
    pub fn announce(&self, document: &mut Map<String, Value>) {
        if let Some(Value::Object(limitation)) = document.get_mut("limitation") {
            limitation.insert("payment_required".to_owned(), true.into());
        }
        if document.contains_key("payments_url") {
            return;
        }
        document.insert("payments_url".to_owned(), self.url.clone().into());
        let mut fees = Map::new();
        for (name, list) in [
            ("admission", &self.admission),
            ("subscription", &self.subscription),
            ("publication", &self.publication),
        ] {
            if !list.is_empty() {
                fees.insert(name.to_owned(), list.iter().map(Fee::told).collect());
            }
        }
        if !fees.is_empty() {
            document
                .entry("fees".to_owned())
                .or_insert(Value::Object(fees));
        }
    }

    /// What somebody is told who has not paid: `restricted: <text>: <url>`.
    pub fn refusal(&self, text: &str) -> Reason {
        Reason::restricted(format!("{text}: {}", self.url))
    }
}

fn web_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_web = url::Url::parse(&text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    match is_web {
        true => Ok(text),
        false => Err(serde::de::Error::custom(format!(
            "found {text:?}, wanted a web address, http:// or https://"
        ))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn payment(text: &str) -> Result<Payment, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| error.message().to_owned())
    }

    #[test]
    fn c29_payment_that_only_ties_names_to_keys_is_refused() {
        for (methods, words) in [
            (r#"["card"]"#, "ties the name"),
            (
                r#"["card", "bank_transfer", "paypal", "processor"]"#,
                "ties the name",
            ),
            ("[]", "no method of payment"),
            (r#"["gold"]"#, "unknown variant"),
        ] {
            let table = format!("url = 'https://pay.example.com'\nmethods = {methods}");
            let problem = payment(&table).unwrap_err();
            assert!(problem.contains(words), "{methods}: {problem}");
        }
        for methods in [r#"["lightning"]"#, r#"["card", "cashu"]"#, r#"["cash"]"#] {
            let table = format!("url = 'https://pay.example.com'\nmethods = {methods}");
            assert!(payment(&table).is_ok(), "{methods}");
        }
        let problem = payment("url = 'pay here'\nmethods = ['cashu']").unwrap_err();
        assert!(problem.contains("wanted a web address"), "{problem}");
    }

    #[test]
    fn c29_what_payment_costs_stands_in_the_document() {
        let table = "url = 'https://pay.example.com'\nmethods = ['lightning']\n\
                     admission = [{ amount = 1000, unit = 'sats' }]\n\
                     subscription = [{ amount = 5, unit = 'sats', period = '30d' }]\n\
                     publication = [{ amount = 1, unit = 'msats', kinds = [4] }]";
        let payment = payment(table).unwrap();
        let mut document = json!({ "limitation": { "payment_required": false } });
        payment.announce(document.as_object_mut().unwrap());
        let wanted = json!({
            "limitation": { "payment_required": true },
            "payments_url": "https://pay.example.com",
            "fees": {
                "admission": [{ "amount": 1000, "unit": "sats" }],
                "subscription": [{ "amount": 5, "unit": "sats", "period": 2_592_000 }],
                "publication": [{ "amount": 1, "unit": "msats", "kinds": [4] }],
            },
        });
        assert_eq!(document, wanted);
        let other = Payment {
            url: "https://other.example.com".to_owned(),
            ..payment
        };
        other.announce(document.as_object_mut().unwrap());
        assert_eq!(document, wanted, "the first one stays");
        let reason = other.refusal("pay first").to_string();
        assert_eq!(reason, "restricted: pay first: https://other.example.com");
    }
}
