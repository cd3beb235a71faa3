//! Who wants to publish pays. A service of the operator's takes the money, and says here who has paid and until when.
//!
//! ```toml
//! [extensions.paid_writing]
//! service_tokens = { shop = "hR3kq0ZbT1mYw8vXo5Nc7LdJf2GsPa4E" }
//! [extensions.paid_writing.payment]
//! url = "https://pay.example.com"
//! methods = ["lightning", "cashu"]
//! subscription = [{ amount = 5000, unit = "sats", period = "30d" }]
//! ```
//!
//! ```sh
//! curl -X PUT https://relay.example.com/api/paid/82341f... -H "Authorization: Bearer $TOKEN" \
//!   -H 'Content-Type: application/json' -d '{"until": 1900000000}'
//! ```
//!
//! Invariant: who has paid is in a row before the service is answered, and in memory from then on, for `admit`; of two words
//! about one person the later one stands in both. Nothing is known of the payment itself: no amount, no method, no name.
//! Deletions are free, or nobody could take back what they have paid for, and so are gift wraps: each is signed by a key of
//! its own, which nobody can have paid for. Rates and work (NIP-13) bound those.

mod routes;

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use tokio::sync::Mutex;
use trellis_relay::extension::{Payment, prelude::*};
use trellis_relay::store::StoreError;

/// NIP-09.
const DELETION: u16 = 5;
/// NIP-59.
const GIFT_WRAP: u16 = 1059;
/// Rows read at a time.
const PAGE: usize = 1_000;

/// The extension.
#[derive(Debug)]
pub struct PaidWriting {
    config: Config,
    host: Host,
    /// Seconds since 1970 until which somebody may publish.
    paid: RwLock<HashMap<PublicKey, u64>>,
    /// Held while row and memory are written, or two services at once could leave them apart.
    noting: Mutex<()>,
}

/// `[extensions.paid_writing]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How users pay.
    payment: Payment,
    /// The services that say who has paid.
    service_tokens: ServiceTokens,
    /// Where the routes are.
    #[serde(default = "default_path")]
    path: String,
}

fn default_path() -> String {
    "/api/paid".to_owned()
}

impl Extension for PaidWriting {
    const NAME: &'static str = "paid_writing";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        if config.service_tokens.is_empty() {
            return Err("service_tokens: found none, but somebody has to say who has paid".into());
        }
        let paid = RwLock::new(read_all(&host).await?);
        Ok(PaidWriting {
            config,
            host,
            paid,
            noting: Mutex::default(),
        })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks
            .payment(|me| &me.config.payment)
            .phase(Phase::Auth)
            .admit(
                !Kinds::from([DELETION, GIFT_WRAP]),
                |me, event, viewer| match viewer.is_relay() || me.has_paid(event.pubkey()) {
                    true => Ok(Admit::Accept),
                    false => Ok(me
                        .config
                        .payment
                        .refusal("publishing here costs something")
                        .into()),
                },
            )
            .api(Mount::prefix(&self.config.path), |api| {
                api.service_tokens(&self.config.service_tokens);
                routes::declare(api);
            });
    }
}

impl PaidWriting {
    fn has_paid(&self, pubkey: &PublicKey) -> bool {
        let paid = self.paid.read().unwrap_or_else(PoisonError::into_inner);
        let until = paid.get(pubkey).copied();
        until.is_some_and(|until| self.host.clock().now_s() < until)
    }

    /// Notes until when somebody has paid; a time that has passed ends it.
    async fn note(&self, pubkey: PublicKey, until: u64) -> Result<(), StoreError> {
        let _one_by_one = self.noting.lock().await;
        let is_over = until <= self.host.clock().now_s();
        let row = (!is_over).then(|| until.to_be_bytes().to_vec());
        self.host.kv_put(pubkey.as_bytes(), row).await?;
        let mut paid = self.paid.write().unwrap_or_else(PoisonError::into_inner);
        match is_over {
            true => paid.remove(&pubkey),
            false => paid.insert(pubkey, until),
        };
        Ok(())
    }
}

async fn read_all(host: &Host) -> Result<HashMap<PublicKey, u64>, StoreError> {
    let mut paid = HashMap::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let rows = host.kv_scan(b"", after.as_deref(), PAGE).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(paid);
        };
        after = Some(last.clone());
        paid.extend(rows.iter().filter_map(|(key, until)| {
            let pubkey = PublicKey::from_byte_array(key.as_slice().try_into().ok()?);
            Some((
                pubkey,
                u64::from_be_bytes(until.as_slice().try_into().ok()?),
            ))
        }));
    }
}
