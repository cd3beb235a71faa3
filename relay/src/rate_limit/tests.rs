//! Shows that limits hold per key and window.

use super::*;
use crate::config::TimeSpan;
use proptest::prelude::*;

const MINUTE_MS: u64 = 60_000;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("address")
}

/// One event.
fn event<'l>(
    limits: &'l mut Limits,
    now_ms: u64,
    from: &str,
    key: Option<&PublicKey>,
    kind: u16,
) -> Result<(), Limited<'l>> {
    let actor = Actor {
        ip: ip(from),
        keys: key.map_or(&[], std::slice::from_ref),
    };
    limits.check(now_ms, Action::Event, actor, Some(&[kind]))
}

fn limits(rules: &str) -> Limits {
    Limits::from_config(&Config {
        rate_limiter: toml::from_str(rules).expect("rules"),
        ..Config::default()
    })
}

#[test]
fn c16_exactly_the_limit_passes_in_a_window() {
    let rate = Rate {
        limit: 100,
        period_ms: MINUTE_MS,
    };
    let mut table = RateTable::new(10);
    let client = Client::from_address(ip("192.0.2.1"));
    let allowed = (0..150).filter(|i| table.check(i * 300, 0, rate, client) == Verdict::Allowed);
    assert_eq!(allowed.count(), 100);
    assert!(matches!(
        table.check(59_999, 0, rate, client),
        Verdict::Limited { .. }
    ));
    assert_eq!(table.check(59_999, 1, rate, client), Verdict::Allowed);
    assert_eq!(
        table.check(3 * MINUTE_MS, 0, rate, client),
        Verdict::Allowed
    );
}

#[test]
fn c16_a_limit_of_none_lets_nothing_pass() {
    let rate = Rate {
        limit: 0,
        period_ms: 0,
    };
    let mut table = RateTable::new(10);
    let verdict = table.check(5, 0, rate, Client::from_address(ip("192.0.2.1")));
    assert!(matches!(
        verdict,
        Verdict::Limited {
            retry_after_ms: 1..
        }
    ));
}

#[test]
fn c16_a_clock_that_goes_back_frees_nobody() {
    let rate = Rate {
        limit: 1,
        period_ms: 1_000,
    };
    let mut table = RateTable::new(10);
    let client = Client::from_address(ip("192.0.2.1"));
    assert_eq!(table.check(5_000, 0, rate, client), Verdict::Allowed);
    assert!(matches!(
        table.check(10, 0, rate, client),
        Verdict::Limited { .. }
    ));
}

#[test]
fn c16_memory_is_bounded() {
    let rate = Rate {
        limit: 1,
        period_ms: MINUTE_MS,
    };
    let mut table = RateTable::new(100);
    for i in 0..10_000u32 {
        table.check(0, 0, rate, Client::from_address(IpAddr::V4(i.into())));
    }
    assert_eq!(table.tracked(), 100);
}

#[test]
fn c16_an_ipv6_subscriber_is_one_client() {
    let client = |text| Client::from_address(ip(text));
    assert_eq!(
        client("2001:db8:1:2:aaaa::1"),
        client("2001:db8:1:2:bbbb::2")
    );
    assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
    assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
}

#[test]
fn c16_rules_count_their_kinds_and_spare_listed_addresses() {
    let mut limits = limits(
        r#"
        ip_whitelist = ["198.51.100.0/24"]
        [[event]]
        name = "groups"
        period = "1m"
        limit = 2
        kinds = [445, [1000, 1010]]
        ip_whitelist = ["203.0.113.7"]
        "#,
    );
    let mut send = |now_ms, from, kind| {
        event(&mut limits, now_ms, from, None, kind).map_err(|limited| limited.rule.to_owned())
    };
    let refused = Err("groups".to_owned());
    assert_eq!(send(0, "192.0.2.1", 445), Ok(()));
    assert_eq!(send(0, "192.0.2.1", 1009), Ok(()));
    assert_eq!(send(0, "192.0.2.1", 445), refused);
    assert_eq!(send(0, "192.0.2.1", 1010), Ok(()));
    assert_eq!(send(0, "192.0.2.2", 445), Ok(()));
    for _ in 0..5 {
        assert_eq!(send(0, "198.51.100.3", 445), Ok(()));
        assert_eq!(send(0, "203.0.113.7", 445), Ok(()));
    }
    assert_eq!(send(2 * MINUTE_MS, "192.0.2.1", 445), Ok(()));
}

#[test]
fn c16_a_rule_per_pubkey_follows_the_key_across_addresses() {
    let rule = "[[event]]\nname = \"k\"\nperiod = \"1m\"\nlimit = 1\nper = \"pubkey\"";
    let mut limits = limits(rule);
    let key = PublicKey::from_byte_array([7; 32]);
    assert!(event(&mut limits, 0, "192.0.2.1", Some(&key), 1).is_ok());
    assert!(event(&mut limits, 0, "192.0.2.2", Some(&key), 1).is_err());
    assert!(event(&mut limits, 0, "192.0.2.2", None, 1).is_ok());
    assert!(event(&mut limits, 0, "192.0.2.2", None, 1).is_err());
}

#[test]
fn c16_one_more_key_frees_nobody() {
    let rule = "[[event]]\nname = \"k\"\nperiod = \"1m\"\nlimit = 1\nper = \"pubkey\"";
    let mut limits = limits(rule);
    let keys = [[1; 32], [7; 32]].map(PublicKey::from_byte_array);
    let mut send = |keys: &[PublicKey]| {
        let ip = ip("192.0.2.1");
        let actor = Actor { ip, keys };
        limits.check(0, Action::Event, actor, Some(&[1])).is_ok()
    };
    assert!(send(&keys[1..]));
    assert!(!send(&keys), "the other key sorts before it");
}

#[test]
fn c16_counts_go_on_after_a_reload_that_leaves_the_rules_alone() {
    let config = |limit: u32| Config {
        rate_limiter: toml::from_str(&format!(
            "event = [{{ name = 'n', period = '1m', limit = {limit} }}]"
        ))
        .expect("rules"),
        ..Config::default()
    };
    let mut limits = Limits::from_config(&config(1));
    assert!(event(&mut limits, 0, "192.0.2.1", None, 1).is_ok());
    limits.reconfigure(&config(1));
    assert!(event(&mut limits, 0, "192.0.2.1", None, 1).is_err());
    limits.reconfigure(&config(2));
    assert!(event(&mut limits, 0, "192.0.2.1", None, 1).is_ok());
}

#[test]
fn c16_switched_off_rules_limit_nobody() {
    let rule = "enabled = false\n[[event]]\nname = \"k\"\nperiod = 60\nlimit = 1";
    let mut limits = limits(rule);
    assert!(limits.is_empty());
    for _ in 0..5 {
        assert_eq!(event(&mut limits, 0, "192.0.2.1", None, 1), Ok(()));
    }
    assert_eq!(TimeSpan::from_secs(60).as_millis(), MINUTE_MS);
}

proptest! {
    /// Whoever waits as told is let in, and whoever comes a millisecond early is not.
    #[test]
    fn c16_the_time_to_wait_is_exact(
        limit in 1u64..8,
        period_ms in 1u64..500,
        gaps in prop::collection::vec(0u64..200, 1..60),
    ) {
        let rate = Rate { limit, period_ms };
        let mut window = Window::starting_at(0);
        let mut now_ms = 0;
        for gap in gaps {
            now_ms += gap;
            if let Verdict::Limited { retry_after_ms } = window.check(now_ms, rate) {
                let (mut early, mut punctual) = (window, window);
                let verdict = early.check(now_ms + retry_after_ms - 1, rate);
                prop_assert_ne!(verdict, Verdict::Allowed);
                prop_assert_eq!(punctual.check(now_ms + retry_after_ms, rate), Verdict::Allowed);
            }
        }
    }
}
