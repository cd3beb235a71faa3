//! Groups, who listens to them, and the messages that are sent into them.

use serde_json::json;
use tokio::task::JoinHandle;
use trellis_test_support::{Author, Client, Event, Relay};

/// Groups with a roster, and members of each.
const GROUPS: usize = 1_000;
const MEMBERS: usize = 50;
/// Groups that one filter names.
const GROUPS_A_FILTER: usize = 100;
/// Connections that publish.
const PUBLISHERS: usize = 4;

/// Who listens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Listeners {
    /// Ten members, each to a tenth of the groups: one of them receives a message.
    OneAGroup,
    /// Every member to every group: fifty receive it.
    EveryMember,
}

impl Listeners {
    /// Fewer where each is delivered more often.
    fn messages(self) -> usize {
        match self {
            Listeners::OneAGroup => 20_000,
            Listeners::EveryMember => 10_000,
        }
    }

    /// The groups of each listener.
    fn shares(self, groups: &[String]) -> Vec<&[String]> {
        match self {
            Listeners::OneAGroup => groups.chunks(GROUPS_A_FILTER).collect(),
            Listeners::EveryMember => vec![groups; MEMBERS],
        }
    }
}

/// Members, and the groups that all of them are in.
pub(super) struct Ground {
    members: Vec<Author>,
    groups: Vec<String>,
    rosters: Vec<Event>,
}

impl Ground {
    pub(super) fn new() -> Self {
        let members: Vec<Author> = std::iter::repeat_with(Author::new).take(MEMBERS).collect();
        let groups: Vec<String> = (0..GROUPS).map(|number| format!("{number:064x}")).collect();
        let rosters = groups.iter().map(|group| roster(&members, group)).collect();
        Ground {
            members,
            groups,
            rosters,
        }
    }
}

/// Clients that listen, and others that have their messages ready.
pub(super) struct Traffic {
    listening: Vec<JoinHandle<Client>>,
    publishers: Vec<Client>,
    messages: Vec<Event>,
}

impl Traffic {
    /// Founds the groups at a relay and connects everybody.
    pub(super) async fn prepare(relay: &Relay, ground: &Ground, listeners: Listeners) -> Self {
        let Ground {
            members,
            groups,
            rosters,
        } = ground;
        let mut owner = Client::connect(relay).await;
        owner.login(&members[0]).await;
        owner.store_all(rosters).await;
        let all = listeners.messages();
        let mut listening = Vec::new();
        for (number, share) in listeners.shares(groups).into_iter().enumerate() {
            let mut client = Client::connect(relay).await;
            client.login(&members[number % MEMBERS]).await;
            let filters = share
                .chunks(GROUPS_A_FILTER)
                .map(|some| json!({"kinds": [445], "#h": some, "since": 1}));
            let filters: Vec<_> = filters.collect();
            client.subscribe("groups", &filters).await;
            client.stored("groups").await.expect("open");
            let expected = all * share.len() / groups.len();
            listening.push(tokio::spawn(async move {
                client.pass_events("groups", expected).await;
                client
            }));
        }
        let mut publishers = Vec::new();
        for member in &members[..PUBLISHERS] {
            let mut client = Client::connect(relay).await;
            client.login(member).await;
            publishers.push(client);
        }
        let once = Author::new();
        let content = "x".repeat(700);
        let message = |number: usize| {
            let draft = once.draft(445).tag(&["h", &groups[number % GROUPS]]);
            let draft = draft.content(&content);
            draft.tag(&["n", &number.to_string()]).sign()
        };
        Traffic {
            listening,
            publishers,
            messages: (0..all).map(message).collect(),
        }
    }

    pub(super) fn messages(&self) -> usize {
        self.messages.len()
    }

    /// Sends all messages and waits until each has come to whoever listens. Gives the clients back, so that the end of their
    /// connections is not counted.
    pub(super) async fn pass(self, relay: &Relay) -> Vec<Client> {
        let share = self.messages.len() / PUBLISHERS;
        let shares = self.messages.chunks(share).map(<[Event]>::to_vec);
        let sending = self.publishers.into_iter().zip(shares);
        let sending: Vec<JoinHandle<Client>> = sending
            .map(|(mut client, share)| {
                tokio::spawn(async move {
                    client.store_all(&share).await;
                    client
                })
            })
            .collect();
        let mut connected = Vec::new();
        for task in sending.into_iter().chain(self.listening) {
            match task.await {
                Ok(client) => connected.push(client),
                Err(error) => panic!("{error}: {}", relay.log()),
            }
        }
        connected
    }
}

fn roster(members: &[Author], group: &str) -> Event {
    let draft = members[0]
        .draft(450)
        .tag(&["h", group])
        .tag(&["seq", "1"])
        .tag(&["op", "bootstrap"]);
    let draft = members[1..]
        .iter()
        .fold(draft, |draft, member| draft.tag(&["p", &member.pubkey()]));
    draft.sign()
}
