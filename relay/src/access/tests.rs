//! Shows that the lists decide as the configuration says.

use super::*;

fn key(byte: u8) -> PublicKey {
    PublicKey::from_byte_array([byte; 32])
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("address")
}

fn policy(auth: &str) -> AccessPolicy {
    AccessPolicy::new(&config(auth), Arc::default())
}

fn config(auth: &str) -> Config {
    let hex = |byte: u8| format!("\"{}\"", const_hex::encode([byte; 32]));
    let text = auth
        .replace("K1", &hex(1))
        .replace("K2", &hex(2))
        .replace("K3", &hex(3));
    Config {
        auth: toml::from_str(&text).expect("auth"),
        ..Config::default()
    }
}

#[test]
fn c15_without_lists_everyone_may_do_everything() {
    let open = policy("");
    assert!(open.is_open());
    assert_eq!(open.may_req(ip("192.0.2.1"), &[]), Ok(()));
    assert_eq!(open.may_publish(ip("192.0.2.1"), &[], &key(9), []), Ok(()));
}

#[test]
fn c13_required_asks_everyone_to_authenticate_even_with_lists_off() {
    let strict = policy("enabled = false\nrequired = true\nevent.pubkey_whitelist = [K1]");
    assert_eq!(
        strict.may_req(ip("192.0.2.1"), &[]),
        Err(Denied::AuthRequired)
    );
    assert_eq!(
        strict.may_publish(ip("192.0.2.1"), &[], &key(9), []),
        Err(Denied::AuthRequired)
    );
    assert_eq!(strict.may_req(ip("192.0.2.1"), &[key(9)]), Ok(()));
    assert_eq!(
        strict.may_publish(ip("192.0.2.1"), &[key(9)], &key(9), []),
        Ok(())
    );
}

#[test]
fn c15_addresses_are_judged_apart_for_reading_and_writing() {
    let lists = policy(
        "req.ip_whitelist = ['10.0.0.0/8']\nreq.ip_blacklist = ['10.9.0.0/16']\nevent.ip_blacklist = ['10.1.0.1']",
    );
    assert_eq!(lists.may_req(ip("10.1.0.1"), &[]), Ok(()));
    assert_eq!(lists.may_req(ip("::ffff:10.1.0.1"), &[]), Ok(()));
    assert_eq!(lists.may_req(ip("10.9.0.1"), &[]), Err(Denied::Address));
    assert_eq!(lists.may_req(ip("192.0.2.1"), &[]), Err(Denied::Address));
    assert_eq!(
        lists.may_publish(ip("10.1.0.1"), &[], &key(1), []),
        Err(Denied::Address)
    );
    assert_eq!(lists.may_publish(ip("192.0.2.1"), &[], &key(1), []), Ok(()));
}

#[test]
fn c15_a_session_needs_one_listed_key_and_no_banned_one() {
    let lists = policy("req.pubkey_whitelist = [K1, K2]\nreq.pubkey_blacklist = [K3]");
    let asks = |session: &[PublicKey]| lists.may_req(ip("192.0.2.1"), session);
    assert_eq!(asks(&[]), Err(Denied::AuthRequired));
    assert_eq!(asks(&[key(9)]), Err(Denied::Session));
    assert_eq!(asks(&[key(9), key(1)]), Ok(()));
    assert_eq!(asks(&[key(1), key(3)]), Err(Denied::Session));
}

#[test]
fn c5_the_document_says_who_may_not_read_and_that_not_everything_may_be_written() {
    let config_of = |toml: &str| -> Config { toml::from_str(toml).expect(toml) };
    let none = Moderation::default();
    let restricts = |config: &Config| restricts_writes(config, &none, 0);
    let reading = config("req.pubkey_whitelist = [K1]");
    assert!(reading_needs_auth(&reading.auth) && !restricts(&reading));
    assert!(!reading_needs_auth(&Auth::default()) && !restricts(&Config::default()));
    for auth in [
        "required = true",
        "event.ip_whitelist = ['10.0.0.0/8']",
        "event.pubkey_whitelist = [K1]",
        "event.event_pubkey_whitelist = [K1]",
    ] {
        assert!(restricts(&config(auth)), "{auth}");
    }
    for toml in ["[operation]\nmode = 'read_only'", "[pow]\n1 = 20"] {
        assert!(restricts(&config_of(toml)), "{toml}");
    }
    let only_notes = Moderation {
        allowed_kinds: 1.into(),
        ..Moderation::default()
    };
    assert!(restricts_writes(&Config::default(), &only_notes, 0));
    assert!(!restricts(&config(
        "enabled = false\nevent.pubkey_whitelist = [K1]"
    )));
}

#[test]
fn c15_authors_are_judged_whoever_sends() {
    let lists = policy("event.event_pubkey_whitelist = [K1]\nevent.event_pubkey_blacklist = [K3]");
    let sends = |author| lists.may_publish(ip("192.0.2.1"), &[], &key(author), []);
    assert_eq!(
        (sends(1), sends(2), sends(3)),
        (Ok(()), Err(Denied::Author), Err(Denied::Author))
    );
}

#[test]
fn c15_outsiders_may_mention_members_where_that_is_allowed() {
    let rule = "event.event_pubkey_whitelist = [K1]\nevent.event_pubkey_blacklist = [K3]";
    let open = policy(&format!(
        "{rule}\nevent.allow_mentioning_whitelisted_pubkeys = true"
    ));
    let shut = policy(rule);
    let at = ip("192.0.2.1");
    assert_eq!(open.may_publish(at, &[], &key(2), [&key(1)]), Ok(()));
    assert_eq!(
        open.may_publish(at, &[], &key(2), [&key(4)]),
        Err(Denied::Author)
    );
    assert_eq!(
        open.may_publish(at, &[], &key(3), [&key(1)]),
        Err(Denied::Author)
    );
    assert_eq!(
        shut.may_publish(at, &[], &key(2), [&key(1)]),
        Err(Denied::Author)
    );
}
