//! The examples of `docs/extensions/mls-gateway.md`, run one after the other: what the page says is answered is answered.
//!
//! The commands are read as a shell reads them, as far as they go, and done by the test kit in the place of nak and curl.

use super::ground::Ground;
use trellis_relay::testing::{Author, Client, Value, json, until};

const PAGE: &str = include_str!("../../../../../docs/extensions/mls-gateway.md");
/// The page's noon: 2026-01-01T12:00:00Z.
const NOON_S: u64 = 1_767_268_800;
/// An argument that stands for a secret key.
const PEOPLE: [&str; 4] = ["ALICE", "BOB", "ADMIN", "THROWAWAY"];
/// What is different each time.
const ANYTHING: &str = "…";

/// Some commands, and what the last of them answers if the page says so.
struct Example {
    commands: Vec<String>,
    answer: Option<String>,
}

#[tokio::test]
async fn m24_the_examples_of_the_guide_are_as_the_relay_answers() {
    let admin = Author::new(number_of("ADMIN"));
    let ground = Ground::start_at(NOON_S, &format!("admin_pubkeys = ['{}']", admin.pubkey())).await;
    let mut reader = Reader {
        ground,
        id: String::new(),
    };
    let examples = examples();
    assert!(examples.len() > 20, "{}", examples.len());
    for Example { commands, answer } in examples {
        let last = commands.len() - 1;
        for (at, command) in commands.iter().enumerate() {
            let wanted = answer.as_deref().filter(|_| at == last);
            reader.run(command, wanted).await;
        }
    }
}

/// The blocks of the page that are `sh`, each with the block that follows it at once.
fn examples() -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    let mut rest = PAGE;
    while let Some(at) = rest.find("```sh\n") {
        let block = &rest[at + 6..];
        let (commands, after) = block.split_once("```\n").unwrap();
        let answer = ["```json\n", "```text\n"].into_iter().find_map(|opening| {
            let answer = after.strip_prefix(opening)?;
            Some(answer.split_once("```").unwrap().0.trim().to_owned())
        });
        let commands = commands.lines().map(str::to_owned).collect();
        found.push(Example { commands, answer });
        rest = after;
    }
    found
}

fn number_of(person: &str) -> u64 {
    let place = PEOPLE.iter().position(|it| *it == person);
    place.unwrap_or_else(|| panic!("{person} is nobody")) as u64 + 1
}

struct Reader {
    ground: Ground,
    /// Of the last letter.
    id: String,
}

/// What a command of nak is told.
#[derive(Default)]
struct Told {
    author: Option<Author>,
    logs_in: bool,
    kind: u16,
    content: String,
    /// Those of `-t`, and after them those of `-p`, as nak has them.
    tags: Vec<[String; 2]>,
    authors: Vec<String>,
}

impl Reader {
    async fn run(&mut self, command: &str, wanted: Option<&str>) {
        let words = self.words(command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["nak", "event", ref told @ .., "RELAY"] => self.publish(self.told(told), wanted).await,
            ["nak", "req", ref told @ .., "RELAY"] => self.query(self.told(told), wanted).await,
            ["mls", person, method, path] => self.call(person, method, path, None, wanted).await,
            ["mls", person, method, path, body] => {
                let body = serde_json::from_str(body).unwrap();
                self.call(person, method, path, Some(body), wanted).await;
            }
            _ => panic!("no example: {command}"),
        }
    }

    fn value(&self, variable: &str) -> String {
        match variable {
            "RELAY" => "RELAY".to_owned(),
            "GROUP" => "5a".repeat(32),
            "ID" => self.id.clone(),
            _ => match variable.strip_suffix("_PUBKEY") {
                Some(person) => Author::new(number_of(person)).pubkey().to_hex(),
                None => variable.to_owned(),
            },
        }
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

    /// The words of a command: quotes of either sort, and no more of a shell.
    fn words(&self, command: &str) -> Vec<String> {
        let (mut words, mut word, mut piece) = (Vec::new(), String::new(), String::new());
        let mut quote = None;
        for c in command.chars().chain([' ']) {
            match (quote, c) {
                (Some(open), _) if open == c => {
                    let is_plain = open == '\'';
                    word += &if is_plain {
                        piece.clone()
                    } else {
                        self.expand(&piece)
                    };
                    piece.clear();
                    quote = None;
                }
                (Some(_), _) => piece.push(c),
                (None, '\'' | '"' | ' ') => {
                    word += &self.expand(&piece);
                    piece.clear();
                    match c {
                        ' ' if !word.is_empty() => words.push(std::mem::take(&mut word)),
                        ' ' => {}
                        _ => quote = Some(c),
                    }
                }
                (None, _) => piece.push(c),
            }
        }
        words
    }

    fn told(&self, arguments: &[&str]) -> Told {
        let mut told = Told::default();
        let mut recipients = Vec::new();
        let mut arguments = arguments.iter();
        while let Some(flag) = arguments.next() {
            let mut value = || (*arguments.next().unwrap()).to_owned();
            match *flag {
                "--sec" => told.author = Some(self.ground.relay.author(number_of(&value()))),
                "--auth" => told.logs_in = true,
                "-k" => told.kind = value().parse().unwrap(),
                "-c" => told.content = value(),
                "-a" => told.authors.push(value()),
                "-p" => recipients.push(["p".to_owned(), value()]),
                "-t" => {
                    let tag = value();
                    let (name, value) = tag.split_once('=').unwrap();
                    told.tags.push([name.to_owned(), value.to_owned()]);
                }
                _ => panic!("no flag of the examples: {flag}"),
            }
        }
        told.tags.extend(recipients);
        told
    }

    async fn client(&self, told: &Told) -> Client {
        match &told.author {
            Some(author) if told.logs_in => self.ground.relay.connect_as(author).await,
            _ => self.ground.relay.connect().await,
        }
    }

    async fn publish(&self, told: Told, wanted: Option<&str>) {
        let draft = told.author.as_ref().unwrap().draft(told.kind).at(NOON_S);
        let tags = told.tags.iter();
        let draft = tags.fold(draft.content(&told.content), |draft, [name, value]| {
            draft.tag([name, value])
        });
        let verdict = self.client(&told).await.publish(&draft.sign()).await;
        match wanted {
            Some(reason) => verdict.assert_refused(reason),
            None => verdict.assert_accepted(),
        };
    }

    async fn query(&self, told: Told, wanted: Option<&str>) {
        let mut filter = json!({"kinds": [told.kind]});
        for [name, value] in &told.tags {
            filter[format!("#{name}")] = json!([value]);
        }
        if !told.authors.is_empty() {
            filter["authors"] = json!(told.authors);
        }
        let answer = self.client(&told).await.query(filter).await;
        match answer {
            Ok(events) => {
                let wanted = self.expand(wanted.unwrap());
                let wanted: Vec<Value> = wanted.lines().map(read).collect();
                let events = events
                    .iter()
                    .map(|it| serde_json::from_slice(it.json()).unwrap());
                let events: Vec<Value> = events.collect();
                assert!(
                    fits(&json!(events), &json!(wanted)),
                    "{events:#?}\n{wanted:#?}"
                );
            }
            Err(reason) => assert_eq!(Some(reason.as_str()), wanted),
        }
    }

    async fn call(
        &mut self,
        person: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
        wanted: Option<&str>,
    ) {
        let author = self.ground.relay.author(number_of(person));
        let call = async || {
            let mut call = self
                .ground
                .relay
                .request(method, &format!("/api/v1/mls{path}"));
            if let Some(body) = &body {
                call = call.json(body);
            }
            call.nip98(&author).await.json::<Value>()
        };
        let mut answer = call().await;
        match wanted {
            None => assert_eq!(answer["ok"], true, "{answer:#}"),
            Some(wanted) => {
                let wanted = read(&self.expand(wanted));
                // What follows the store is a moment behind it.
                let may_repeat = method == "GET" || path.starts_with("/messages");
                if may_repeat && !fits(&answer, &wanted) {
                    let what = format!("{method} {path}: {answer:#}\n{wanted:#}");
                    until(&what, async || {
                        answer = call().await;
                        fits(&answer, &wanted)
                    })
                    .await;
                }
                assert!(fits(&answer, &wanted), "{answer:#}\n{wanted:#}");
            }
        }
        let id = answer["id"].as_str().or(answer["items"][0]["id"].as_str());
        if let Some(id) = id {
            self.id = id.to_owned();
        }
    }
}

fn read(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// Whether the answer is what the page says, but for what is different each time.
fn fits(answer: &Value, wanted: &Value) -> bool {
    match (answer, wanted) {
        (_, Value::String(text)) if text == ANYTHING => true,
        (Value::Object(answer), Value::Object(wanted)) => {
            let fits = |(name, wanted)| answer.get(name).is_some_and(|it| fits(it, wanted));
            answer.len() == wanted.len() && wanted.iter().all(fits)
        }
        (Value::Array(answer), Value::Array(wanted)) => {
            answer.len() == wanted.len() && answer.iter().zip(wanted).all(|(a, b)| fits(a, b))
        }
        (answer, wanted) => answer == wanted,
    }
}
