//! The clock of this machine: events, logins and certificates are judged by it.

use super::database::Relay;
use super::ownership::AS_ITS_USER;
use super::web::Web;
use std::io::{ErrorKind, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};
use trellis_relay::clock::{Clock as _, SystemClock};
use trellis_relay::config::{Config, Timestamp};
use trellis_relay::extension::Findings;
use url::Url;

/// A clock that is further off has clients refused.
const FAR_OFF_S: u64 = 60;
/// One that is nearer is right, as far as a header tells that has whole seconds and was some time on its way.
const NEAR_S: u64 = 3;

/// How long the system may take to say whether the clock is in step: D-Bus itself waits for 25 s.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn look(config: &Config, relay: Relay, found: &mut Findings) {
    synchronized(found);
    plausible(config, relay, found);
}

fn synchronized(found: &mut Findings) {
    const CHECK: &str = "clock in step";
    match is_synchronized() {
        Some(true) => found.ok(CHECK, "the system says that it is"),
        Some(false) => found.warn(
            CHECK,
            "the system says that it is not",
            "timedatectl set-ntp true, or chrony",
        ),
        None => found.by_hand(
            CHECK,
            "this system does not say",
            "timedatectl or chronyc tracking on the host, or trellis doctor --time-server https://HOST",
        ),
    }
}

/// What systemd knows of the kernel; nothing where it is not there, as in a container, or does not answer.
fn is_synchronized() -> Option<bool> {
    let mut asked = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    if !ends_in_time(&mut asked) {
        // Where it has ended meanwhile there is nothing to end.
        let _ = asked.kill();
        let _ = asked.wait();
        return None;
    }
    let mut said = String::new();
    asked.stdout.take()?.read_to_string(&mut said).ok()?;
    match said.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn ends_in_time(child: &mut Child) -> bool {
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(_)) => return true,
            Ok(None) if begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Ok(None) | Err(_) => return false,
        }
    }
}

/// A clock that was set back is behind what was written by it.
fn plausible(config: &Config, relay: Relay, found: &mut Findings) {
    const CHECK: &str = "clock";
    let now_s = SystemClock.now_s();
    let now = Timestamp::from_unix_secs(now_s);
    let ahead_s = config.limitation.max_event_time_newer_than_now.as_secs();
    let newest_s = match relay {
        Relay::Stopped { newest_s } => newest_s,
        Relay::Runs | Relay::Unknown => None,
    };
    if let Some(newest_s) = newest_s
        && newest_s > now_s.saturating_add(ahead_s)
    {
        let newest = Timestamp::from_unix_secs(newest_s);
        return found.fail(
            CHECK,
            format!("it is {now}, and the newest event is of {newest}"),
            "set the clock; new events are refused for being ahead of it",
        );
    }
    let written = std::fs::metadata(config.data.path.join("data.mdb")).and_then(|it| it.modified());
    match written.map(seconds) {
        Ok(Some(written_s)) if written_s > now_s.saturating_add(FAR_OFF_S) => {
            let written = Timestamp::from_unix_secs(written_s);
            found.fail(
                CHECK,
                format!("it is {now}, and the database was written at {written}"),
                "set the clock",
            );
        }
        Ok(_) => found.ok(CHECK, format!("it is {now}, not behind what is stored")),
        Err(error) if error.kind() == ErrorKind::NotFound => found.ok(
            CHECK,
            format!("it is {now}; nothing is stored yet that it could be behind"),
        ),
        Err(_) => found.by_hand(
            CHECK,
            format!("it is {now}; when the database was written cannot be seen"),
            AS_ITS_USER,
        ),
    }
}

fn seconds(time: SystemTime) -> Option<u64> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.ok().as_ref().map(Duration::as_secs)
}

/// Compares the clock with a web server's, as it was when half of the time had passed in which the answer came. What a server
/// that is silent would say, nobody knows.
pub(super) async fn compare(server: &Url, web: &Web, found: &mut Findings) {
    const CHECK: &str = "clock compared";
    let wanted = "name a web server whose clock is right";
    let answer = match web.get(server, "*/*").await {
        Ok(answer) => answer,
        Err(why) => return found.by_hand(CHECK, format!("{server}: {why}"), wanted),
    };
    let now_s = answer.arrived_s.saturating_sub(answer.took.as_secs() / 2);
    let date = answer
        .header("date")
        .and_then(|date| httpdate::parse_http_date(date).ok());
    let Some(theirs_s) = date.and_then(seconds) else {
        return found.by_hand(CHECK, format!("{server} does not tell the time"), wanted);
    };
    let off_s = now_s.abs_diff(theirs_s);
    let direction = if now_s > theirs_s {
        "ahead of"
    } else {
        "behind"
    };
    let told = format!("{off_s} s {direction} {server}");
    const ADVICE: &str = "have it set by NTP: timedatectl set-ntp true, or chrony";
    if off_s <= NEAR_S {
        found.ok(CHECK, format!("as that of {server}, to {NEAR_S} s"));
    } else if off_s <= FAR_OFF_S {
        found.warn(CHECK, told, ADVICE);
    } else {
        found.fail(CHECK, told, ADVICE);
    }
}
