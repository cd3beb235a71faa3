//! A person with a device: keys, MLS state, and a connection.

use mdk_core::MDK;
use mdk_core::groups::NostrGroupConfigData;
use mdk_core::prelude::{GroupId, MessageProcessingResult};
use mdk_memory_storage::MdkMemoryStorage;
use nostr_sdk::nips::nip44;
use nostr_sdk::prelude::{
    Client, Event, EventBuilder, Filter, JsonUtil, Keys, Kind, PublicKey, RelayUrl, Tag, Timestamp,
    UnsignedEvent,
};
use trellis_test_support::{Relay, wait};

/// Asks for the encoded KeyPackage.
pub(crate) const KEY_PACKAGE: Kind = Kind::Custom(443);
/// Replaces the one before.
pub(crate) const ADDRESSABLE_KEY_PACKAGE: Kind = Kind::Custom(30443);
/// A message of a group.
pub(crate) const GROUP_MESSAGE: Kind = Kind::Custom(445);

/// Somebody.
pub(crate) struct Person {
    pub(crate) keys: Keys,
    pub(crate) mdk: MDK<MdkMemoryStorage>,
    pub(crate) client: Client,
}

/// How a connection is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Login {
    /// Answers challenges.
    Authenticates,
    /// Never tells who it is.
    Anonymous,
}

impl Person {
    /// Somebody with a connection to the relay.
    pub(crate) async fn new(relay: &Relay, login: Login) -> Self {
        let keys = Keys::generate();
        Person {
            client: connect(relay, &keys, login).await,
            mdk: MDK::new(MdkMemoryStorage::default()),
            keys,
        }
    }

    /// The key that others know.
    pub(crate) fn pubkey(&self) -> PublicKey {
        self.keys.public_key()
    }

    /// Connects anew.
    pub(crate) async fn reconnect(&mut self, relay: &Relay, login: Login) {
        self.client.shutdown().await;
        self.client = connect(relay, &self.keys, login).await;
    }

    /// Publishes what has to be accepted.
    pub(crate) async fn publish(&self, event: &Event) {
        let output = self.client.send_event(event).await.expect("sent");
        assert!(output.failed.is_empty(), "{output:?}");
    }

    /// Publishes what has to be refused, and says why it was.
    pub(crate) async fn refused(&self, event: &Event) -> String {
        match self.client.send_event(event).await {
            Ok(output) => {
                assert!(output.success.is_empty(), "{output:?}");
                output.failed.into_values().collect()
            }
            Err(error) => error.to_string(),
        }
    }

    /// What the relay has stored.
    pub(crate) async fn fetch(&self, filter: Filter) -> Vec<Event> {
        let events = self.client.fetch_events(filter, wait::DEADLINE).await;
        let mut events: Vec<Event> = events.expect("events").into_iter().collect();
        // In the order of sending, as MLS wants them.
        events.sort_by_key(|event| event.created_at);
        events
    }

    /// Publishes KeyPackages as Marmot clients do: both kinds from the same bytes, no `p` and no `exp`.
    pub(crate) async fn publish_key_packages(&self, relay: &Relay, kinds: &[Kind]) {
        let url = RelayUrl::parse(&relay.ws_url()).expect("a URL");
        let data = self
            .mdk
            .create_key_package_for_event(&self.pubkey(), [url])
            .expect("a KeyPackage");
        for &kind in kinds {
            let tags = match kind == KEY_PACKAGE {
                true => data.tags_443.clone(),
                false => data.tags_30443.clone(),
            };
            let event = EventBuilder::new(kind, data.content.clone()).tags(tags);
            self.publish(&event.sign_with_keys(&self.keys).expect("signed"))
                .await;
        }
    }

    /// Another person's KeyPackage, as the relay has it.
    pub(crate) async fn key_package_of(&self, whom: &PublicKey) -> Event {
        let filter = Filter::new()
            .kind(ADDRESSABLE_KEY_PACKAGE)
            .author(*whom)
            .limit(1);
        self.fetch(filter).await.pop().expect("a KeyPackage")
    }

    /// A new group of this person and the owners of the KeyPackages; says its MLS id, its id on the relay and the Welcomes.
    pub(crate) fn found(
        &self,
        relay: &Relay,
        packages: Vec<Event>,
        admins: Vec<PublicKey>,
    ) -> (GroupId, String, Vec<UnsignedEvent>) {
        let url = RelayUrl::parse(&relay.ws_url()).expect("a URL");
        let (name, about) = ("tea".to_owned(), "who drinks when".to_owned());
        let config = NostrGroupConfigData::new(name, about, None, None, None, vec![url], admins);
        let created = self
            .mdk
            .create_group(&self.pubkey(), packages, config)
            .expect("a group");
        let on_relay = const_hex::encode(created.group.nostr_group_id);
        (created.group.mls_group_id, on_relay, created.welcome_rumors)
    }

    /// Sends a Welcome in a gift wrap (NIP-59): sealed with this person's key, wrapped by a key that is used once.
    pub(crate) async fn send_welcome(&self, welcome: &UnsignedEvent, to: &PublicKey) {
        let encrypt = |keys: &Keys, text: String| {
            nip44::encrypt(keys.secret_key(), to, text, nip44::Version::V2).expect("encrypted")
        };
        let seal = EventBuilder::new(Kind::Seal, encrypt(&self.keys, welcome.as_json()));
        let seal = seal.sign_with_keys(&self.keys).expect("signed");
        let once = Keys::generate();
        // As NIP-59 has it, the time is not that of sending.
        let earlier = Timestamp::now() - std::time::Duration::from_secs(3_600);
        let wrap = EventBuilder::new(Kind::GiftWrap, encrypt(&once, seal.as_json()));
        let wrap = wrap.tag(Tag::public_key(*to)).custom_created_at(earlier);
        self.publish(&wrap.sign_with_keys(&once).expect("signed"))
            .await;
    }

    /// Takes up every Welcome that waits, and says how many there were.
    pub(crate) async fn join(&self) -> usize {
        let wraps = self
            .fetch(Filter::new().kind(Kind::GiftWrap).pubkey(self.pubkey()))
            .await;
        for wrap in &wraps {
            let decrypt = |from: &PublicKey, text: &str| {
                nip44::decrypt(self.keys.secret_key(), from, text).expect("decrypted")
            };
            let seal = Event::from_json(decrypt(&wrap.pubkey, &wrap.content)).expect("a seal");
            let rumor =
                UnsignedEvent::from_json(decrypt(&seal.pubkey, &seal.content)).expect("a Welcome");
            self.mdk
                .process_welcome(&wrap.id, &rumor)
                .expect("a Welcome for me");
        }
        for welcome in self.mdk.get_pending_welcomes(None).expect("Welcomes") {
            self.mdk.accept_welcome(&welcome).expect("joined");
        }
        wraps.len()
    }

    /// Encrypts a line for a group; its event is signed by a key that is used once.
    pub(crate) fn says(&self, group: &GroupId, text: &str) -> Event {
        let rumor = EventBuilder::new(Kind::Custom(9), text).build(self.pubkey());
        self.mdk
            .create_message(group, rumor, None)
            .expect("a message")
    }

    /// What this person makes of messages: the lines in them. Commits are followed.
    pub(crate) fn reads(&self, events: &[Event]) -> Vec<String> {
        let processed = events.iter().map(|event| self.mdk.process_message(event));
        let line = |result| match result {
            Ok(MessageProcessingResult::ApplicationMessage(message)) => Some(message.content),
            _ => None,
        };
        processed.filter_map(line).collect()
    }

    /// Reads what the relay has of a group.
    pub(crate) async fn catches_up(&self, on_relay: &str, since: Option<Timestamp>) -> Vec<String> {
        let mut filter = messages_of(on_relay);
        filter.since = since;
        self.reads(&self.fetch(filter).await)
    }
}

/// Asks for the messages of one group.
pub(crate) fn messages_of(on_relay: &str) -> Filter {
    Filter::new().kind(GROUP_MESSAGE).custom_tag(
        nostr_sdk::SingleLetterTag::lowercase(nostr_sdk::Alphabet::H),
        on_relay,
    )
}

/// A roster event (450).
pub(crate) fn roster(
    keys: &Keys,
    on_relay: &str,
    seq: u64,
    op: &str,
    members: &[PublicKey],
) -> Event {
    let tag = |name: &str, value: &str| Tag::parse([name, value]).expect("a tag");
    let mut tags = vec![
        tag("h", on_relay),
        tag("seq", &seq.to_string()),
        tag("op", op),
    ];
    tags.extend(members.iter().map(|member| Tag::public_key(*member)));
    let event = EventBuilder::new(Kind::Custom(450), "").tags(tags);
    event.sign_with_keys(keys).expect("signed")
}

async fn connect(relay: &Relay, keys: &Keys, login: Login) -> Client {
    let client = match login {
        Login::Authenticates => Client::new(keys.clone()),
        Login::Anonymous => Client::default(),
    };
    // Otherwise a fetch ends where a challenge comes that nobody can answer.
    client.automatic_authentication(login == Login::Authenticates);
    client.add_relay(relay.ws_url()).await.expect("add a relay");
    let connected = client.try_connect(wait::DEADLINE).await;
    assert!(connected.failed.is_empty(), "{connected:?}");
    client
}
