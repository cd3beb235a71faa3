//! What a space says of itself.

use crate::operator::Operator;
use crate::rooms::meeting::{Meeting, talk_of};
use crate::rooms::space::{Space, Unfit};
use trellis_relay::event::{Address, Event};
use trellis_relay::testing::{Author, Draft, START_S};

const OPERATOR: &str = "https://calls.example";

fn draft() -> Draft {
    let draft = Author::new(1).draft(30312);
    let draft = draft.tag(["d", "hall"]).tag(["room", "The hall"]);
    draft.tag(["service", OPERATOR])
}

fn judge(event: &Event) -> Result<(), Unfit> {
    let operator = Operator::new(Some(OPERATOR));
    Space::of(event).unwrap().judge(&operator, START_S)
}

#[test]
fn l11_a_space_is_fit_if_it_has_a_name_is_open_and_names_the_operator() {
    let open = draft().tag(["status", "open"]).sign();
    assert_eq!(judge(&open), Ok(()));
    assert_eq!(judge(&draft().tag(["status", "private"]).sign()), Ok(()));
    for status in ["closed", "ended", ""] {
        let event = draft().tag(["status", status]).sign();
        assert_eq!(judge(&event), Err(Unfit::Closed), "{status}");
    }
    assert_eq!(judge(&draft().sign()), Err(Unfit::Closed));

    let author = Author::new(1);
    let titled = author
        .draft(30312)
        .tag(["d", "hall"])
        .tag(["title", "The hall"]);
    let titled = titled
        .tag(["service", "https://calls.example/"])
        .tag(["status", "open"]);
    assert_eq!(judge(&titled.sign()), Ok(()));
    let nameless = author
        .draft(30312)
        .tag(["d", "hall"])
        .tag(["status", "open"]);
    assert_eq!(judge(&nameless.sign()), Err(Unfit::Nameless));
    let no_d = author
        .draft(30312)
        .tag(["room", "The hall"])
        .tag(["status", "open"]);
    assert_eq!(judge(&no_d.sign()), Err(Unfit::Nameless));
    let long = author
        .draft(30312)
        .tag(["d", &"x".repeat(200)])
        .tag(["room", "The hall"]);
    assert_eq!(judge(&long.sign()), Err(Unfit::Nameless));

    let elsewhere = author
        .draft(30312)
        .tag(["d", "hall"])
        .tag(["room", "The hall"]);
    let elsewhere = elsewhere.tag(["status", "open"]);
    assert_eq!(judge(&elsewhere.clone().sign()), Err(Unfit::OtherOperator));
    let elsewhere = elsewhere.tag(["service", "https://other.example"]);
    assert_eq!(judge(&elsewhere.sign()), Err(Unfit::OtherOperator));

    let over = draft().tag(["status", "open"]);
    let over = over.tag(["expiration", &START_S.to_string()]).sign();
    assert_eq!(judge(&over), Err(Unfit::Expired));
    assert!(Space::of(&author.note("no space")).is_none());
}

#[test]
fn l11_a_space_is_its_communities_and_a_private_one_is_for_whom_it_names() {
    let [author, community, guest, stranger] = [1, 2, 3, 4].map(|it| Author::new(it).pubkey());
    let own = Space::of(&draft().tag(["status", "open"]).sign()).unwrap();
    assert_eq!(own.communities(), [author]);
    let tagged = draft()
        .tag(["h", &community.to_hex()])
        .tag(["p", &guest.to_hex(), "", "Speaker"]);
    let open = Space::of(&tagged.clone().tag(["status", "open"]).sign()).unwrap();
    assert_eq!(open.communities(), [community]);
    assert!(
        [author, community, guest, stranger]
            .iter()
            .all(|it| open.admits(it))
    );
    let private = Space::of(&tagged.tag(["status", "private"]).sign()).unwrap();
    assert!(
        [author, community, guest]
            .iter()
            .all(|it| private.admits(it))
    );
    assert!(!private.admits(&stranger));
    // A tag that names no community makes the author none.
    let odd = Space::of(&draft().tag(["h", "a-group"]).sign()).unwrap();
    assert!(odd.communities().is_empty());
}

#[test]
fn l11_meetings_and_presences_are_read_by_the_space_that_they_name() {
    let author = Author::new(1);
    let space = Space::of(&draft().sign()).unwrap();
    let address = Address::parse(&space.name()).unwrap();
    let meeting = |status: &str, space: &str| {
        let draft = author.draft(30313).tag(["d", "weekly"]).tag(["a", space]);
        draft.tag(["status", status])
    };
    let live = meeting("live", &space.name()).sign();
    let read = Meeting::of(&live, START_S).unwrap();
    assert_eq!(
        (&read.space, read.is_over, read.is_live),
        (&address, false, true)
    );
    let ended = meeting("ended", &space.name()).sign();
    assert!(Meeting::of(&ended, START_S).unwrap().is_over);
    let past = meeting("planned", &space.name()).tag(["ends", &(START_S - 1).to_string()]);
    assert!(Meeting::of(&past.sign(), START_S).unwrap().is_over);
    assert_eq!(
        Meeting::of(&meeting("live", "30311:aa:b").sign(), START_S),
        None
    );

    let here = |number: u64, at_s: u64| {
        let draft = Author::new(number).draft(10312).at(at_s);
        draft
            .tag(["a", &space.name(), "", "root"])
            .tag(["hand", "1"])
            .sign()
    };
    let events = [
        live,
        ended,
        here(2, START_S),
        here(3, START_S - 7200),
        here(4, START_S - 60),
    ];
    let talk = talk_of(&address, &events, START_S);
    assert_eq!((talk.meetings, talk.present), (1, 2));
}
