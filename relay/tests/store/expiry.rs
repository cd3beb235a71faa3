//! NIP-40: what has expired is neither taken nor shown, and can be found for removal.

use crate::draft::Draft;
use crate::subject::{NOW, Subject, for_every_store, ids, ids_of, scan_of};
use trellis_relay::filter::Filter;
use trellis_relay::store::{NoPolicy, Outcome, Write};

for_every_store!(
    c7_an_expired_event_is_refused,
    c7_expired_events_are_not_shown_or_counted,
    c7_expired_events_are_listed_the_longest_expired_first,
    c7_an_expiration_that_is_no_number_is_none,
);

fn expiring(at: u64) -> Draft {
    Draft::of(1)
        .tag(&["expiration", &at.to_string()])
        .content(at.to_string())
}

fn c7_an_expired_event_is_refused(subject: &Subject) {
    for at in [0, 1, NOW - 1, NOW] {
        let outcome = subject.put(&expiring(at).build());
        assert!(matches!(outcome, Outcome::Refused(_)), "{at}: {outcome:?}");
    }
    assert_eq!(subject.store.last_row().unwrap(), 0);
    assert!(matches!(
        subject.put(&expiring(NOW + 1).build()),
        Outcome::Stored(stored) if stored.expires_at == Some(NOW + 1)
    ));
}

fn c7_expired_events_are_not_shown_or_counted(subject: &Subject) {
    let short = expiring(NOW + 10).build();
    let long = expiring(NOW + 20).at(1).build();
    subject.stored(&short);
    subject.stored(&long);
    let filters = [
        Filter::default(),
        Filter {
            ids: Some(ids_of(&[&short, &long])),
            ..Filter::default()
        },
    ];
    for mut filter in filters {
        filter.normalize();
        let mut scan = scan_of(&filter);
        scan.now = NOW + 9;
        assert_eq!(ids(&subject.pages(&scan)), ids_of(&[&short, &long]));
        assert_eq!(subject.count_pages(&scan), 2);
        scan.now = NOW + 10;
        assert_eq!(ids(&subject.pages(&scan)), ids_of(&[&long]));
        assert_eq!(subject.count_pages(&scan), 1);
        scan.now = NOW + 20;
        assert_eq!(subject.count_pages(&scan), 0);
    }
    assert_eq!(subject.put(&short), Outcome::Duplicate, "not swept yet");
}

fn c7_expired_events_are_listed_the_longest_expired_first(subject: &Subject) {
    let events: Vec<_> = [30, 10, 20].map(|s| expiring(NOW + s).build()).into();
    for event in &events {
        subject.stored(event);
    }
    subject.stored(&Draft::of(1).build());
    let expired = |now, max| subject.store.expired(now, max).unwrap();
    assert_eq!(expired(NOW + 9, 10), []);
    assert_eq!(expired(NOW + 20, 10), ids_of(&[&events[1], &events[2]]));
    assert_eq!(expired(NOW + 99, 1), ids_of(&[&events[1]]));
    let batch: Vec<_> = expired(NOW + 20, 10)
        .into_iter()
        .map(|id| Write::Remove(id, trellis_relay::store::Cause::Expiry))
        .collect();
    assert_eq!(
        subject.commit_with(&batch, &NoPolicy),
        [Outcome::Done, Outcome::Done]
    );
    assert_eq!(expired(NOW + 99, 10), ids_of(&[&events[0]]));
}

fn c7_an_expiration_that_is_no_number_is_none(subject: &Subject) {
    for value in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
        let event = Draft::of(1).tag(&["expiration", value]).build();
        assert!(matches!(
            subject.put(&event),
            Outcome::Stored(stored) if stored.expires_at.is_none()
        ));
    }
    let far = subject.put(&expiring(u64::MAX).build());
    assert!(matches!(far, Outcome::Stored(stored) if stored.expires_at == Some(u64::MAX)));
    assert_eq!(subject.store.expired(1 << 39, 10).unwrap(), []);
}
