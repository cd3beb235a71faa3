//! The examples of `docs/extensions/livekit-token.md`, run one after the other: what the page says is answered is answered.
//!
//! The commands are read as a shell reads them, as far as they go, and done by the test kit in the place of nak and curl.

use super::communities::{found, room};
use super::ground::{Ground, value};
use std::collections::HashMap;
use std::time::Duration;
use trellis_relay::event::Event;
use trellis_relay::testing::{START_S, Value};

const PAGE: &str = include_str!("../../../../docs/extensions/livekit-token.md");
/// Who is who; the community's number is that of its tests.
const PEOPLE: [(&str, u64); 4] = [("ALICE", 1), ("BOB", 2), ("STRANGER", 9), ("COMMUNITY", 20)];
/// What is different each time.
const ANYTHING: &str = "…";
/// When tokens end that are issued at the page's time.
const EXPIRY_S: u64 = 1_767_269_100;

#[tokio::test]
async fn l3_the_examples_of_the_guide_are_as_the_relay_answers() {
    let ground = Ground::start().await;
    found(&ground, &room(&ground, "open")).await;
    let mut reader = Reader {
        ground,
        events: HashMap::new(),
    };
    let examples = examples();
    assert!(examples.len() >= 7, "{}", examples.len());
    for (commands, answer) in examples {
        let mut last = Value::Null;
        for command in commands.lines() {
            last = reader.run(command).await;
            // Limits are another test's business.
            reader
                .ground
                .relay
                .clock()
                .advance(Duration::from_millis(1));
        }
        if let Some(answer) = answer {
            let wanted = read(answer);
            assert!(fits(&last, &wanted), "{commands}{last:#}\n{wanted:#}");
        }
    }
}

/// The blocks of the page that are `sh`, each with the block that follows it at once.
fn examples() -> Vec<(&'static str, Option<&'static str>)> {
    let mut found = Vec::new();
    let mut rest = PAGE;
    while let Some(at) = rest.find("```sh\n") {
        let (commands, after) = rest[at + 6..].split_once("```\n").unwrap();
        let answer = after.strip_prefix("```json\n");
        let answer = answer.map(|answer| answer.split_once("```").unwrap().0.trim());
        found.push((commands, answer));
        rest = after;
    }
    found
}

fn number_of(person: &str) -> u64 {
    let found = PEOPLE.iter().find(|(name, _)| *name == person);
    found.unwrap_or_else(|| panic!("{person} is nobody")).1
}

struct Reader {
    ground: Ground,
    /// By the variable that holds them.
    events: HashMap<String, Event>,
}

impl Reader {
    /// Does one command; what it answers, if it is a call.
    async fn run(&mut self, command: &str) -> Value {
        if let Some((name, made)) = command.split_once("=$(nak event ") {
            let event = self.make(made.strip_suffix(')').unwrap());
            self.events.insert(name.to_owned(), event);
            return Value::Null;
        }
        if let Some(name) = command.strip_suffix(" | nak event $RELAY") {
            let name = name.strip_prefix("echo $").unwrap();
            let mut client = self.ground.relay.connect().await;
            client.publish(&self.events[name]).await.assert_accepted();
            return Value::Null;
        }
        let call = command.strip_prefix("call $").unwrap();
        let mut words = call.splitn(4, ' ');
        let mut word = || words.next();
        let (who, method, path) = (word().unwrap(), word().unwrap(), word().unwrap());
        let who = self.ground.author(number_of(who));
        let mut call = self.ground.relay.request(method, path);
        if let Some(body) = word() {
            let body = self.expand(&body.replace('\'', ""));
            call = call.header("Content-Type", "application/json").body(body);
        }
        let answer = call.nip98(&who).await;
        answer.json()
    }

    /// What nak makes of its arguments.
    fn make(&self, arguments: &str) -> Event {
        let arguments = self.expand(&arguments.replace('"', ""));
        let mut words = arguments.split(' ');
        let (mut author, mut kind, mut tags) = (None, 0, Vec::new());
        while let Some(flag) = words.next() {
            let value = words.next().unwrap();
            match flag {
                "--sec" => author = Some(self.ground.author(number_of(value))),
                "-k" => kind = value.parse().unwrap(),
                "-p" => tags.push(vec!["p", value]),
                "-t" => {
                    let (name, values) = value.split_once('=').unwrap();
                    tags.push([name].into_iter().chain(values.split(';')).collect());
                }
                _ => panic!("no flag of the examples: {flag}"),
            }
        }
        let draft = tags
            .into_iter()
            .fold(author.unwrap().draft(kind), |draft, tag| match *tag {
                [name, value] => draft.tag([name, value]),
                [name, value, relay, marker] => draft.tag([name, value, relay, marker]),
                _ => panic!("no tag of the examples: {tag:?}"),
            });
        draft.sign()
    }

    /// With `$NAMES` put in.
    fn expand(&self, text: &str) -> String {
        let mut pieces = text.split('$');
        let mut expanded = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let end = piece.find(|c: char| !c.is_ascii_uppercase() && c != '_');
            let (name, rest) = piece.split_at(end.unwrap_or(piece.len()));
            expanded += &self.value(name);
            expanded += rest;
        }
        expanded
    }

    fn value(&self, variable: &str) -> String {
        if let Some(event) = self.events.get(variable) {
            return value(event).to_string();
        }
        if let Some(person) = variable.strip_suffix("_PUBKEY") {
            return self.ground.author(number_of(person)).pubkey().to_hex();
        }
        match variable.strip_suffix("_ID") {
            Some(event) => self.events[event].id().to_hex(),
            None => variable.to_owned(),
        }
    }
}

fn read(json: &str) -> Value {
    let json = json.replace(&EXPIRY_S.to_string(), &(START_S + 180).to_string());
    serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// Whether the answer is what the page says, but for what is different each time.
fn fits(answer: &Value, wanted: &Value) -> bool {
    match (answer, wanted) {
        (_, Value::String(text)) if text == ANYTHING => !answer.is_null(),
        (Value::Object(answer), Value::Object(wanted)) => {
            let fits = |(name, wanted)| answer.get(name).is_some_and(|it| fits(it, wanted));
            answer.len() == wanted.len() && wanted.iter().all(fits)
        }
        (answer, wanted) => answer == wanted,
    }
}
