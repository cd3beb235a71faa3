//! What became of tokens, in Redis: for several relays that serve the same rooms.
//!
//! Invariant: an answer that did not come in time is an error, never a guess. Keys and values hold marks, sessions and short
//! hashes, no token, room or identity; all of them end by themselves. Redis counts their ends by its own clock.

use super::{Arrival, BURNED_S, CacheDown, Issued, TokenCache, short_hash};
use async_trait::async_trait;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError, Script};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use trellis_relay::clock::Clock;

/// An answer may take so long, a connection as well.
const PATIENCE: Duration = Duration::from_secs(2);

/// KEYS: the token. ARGV: the session, the time in seconds, how long one is remembered of which a copy was seen. A token is
/// its end, a `!` if a copy was seen, and after a space the session that came first.
static ARRIVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local token = redis.call('GET', KEYS[1])
        if not token then return 'unknown' end
        local ends_at_s, burned, sid = string.match(token, '^(%d+)(!?) ?(.*)$')
        if sid == '' then
            redis.call('SET', KEYS[1], ends_at_s .. ' ' .. ARGV[1], 'KEEPTTL')
            return 'first'
        end
        if sid == ARGV[1] then return 'same' end
        if burned == '!' or tonumber(ARGV[2]) < tonumber(ends_at_s) then
            local remember_s = math.max(redis.call('TTL', KEYS[1]), tonumber(ARGV[3]))
            redis.call('SET', KEYS[1], ends_at_s .. '! ' .. sid, 'EX', remember_s)
            return 'replay'
        end
        return 'reconnect'",
    )
});

/// KEYS: the room's refusals. ARGV: whom, until when, how long that is in seconds. The refusals of a room stay as long as
/// the last of them.
static REFUSE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
        if redis.call('TTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('EXPIRE', KEYS[1], ARGV[3]) end",
    )
});

/// A cache in Redis.
pub(crate) struct InRedis {
    connection: ConnectionManager,
    clock: Arc<dyn Clock>,
}

impl InRedis {
    /// Connects when it is first asked, and again whenever it has to. An error says what is wrong with the URL.
    pub(crate) fn new(url: &str, clock: Arc<dyn Clock>) -> Result<Self, CacheDown> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_response_timeout(Some(PATIENCE))
            .set_connection_timeout(Some(PATIENCE));
        let client = Client::open(url)?;
        let connection = ConnectionManager::new_lazy_with_config(client, config)?;
        Ok(InRedis { connection, clock })
    }

    /// How long it is until then, at least a second.
    fn seconds_until(&self, then_s: u64) -> u64 {
        then_s.saturating_sub(self.clock.now_s()).max(1)
    }
}

/// What Redis says may hold its address; its category does not.
impl From<RedisError> for CacheDown {
    fn from(error: RedisError) -> Self {
        CacheDown(format!("Redis: {}", error.category()))
    }
}

fn token_key(mark: &str) -> String {
    format!("livekit_token:token:{mark}")
}

fn refusals_key(room: &str) -> String {
    format!("livekit_token:refused:{}", short_hash(&[room]))
}

#[async_trait]
impl TokenCache for InRedis {
    async fn issue(&self, token: &Issued) -> Result<(), CacheDown> {
        let mut connection = self.connection.clone();
        let remember_s = self.seconds_until(token.forget_at_s);
        let _: () = redis::pipe()
            .cmd("SET")
            .arg(token_key(&token.mark))
            .arg(token.expires_at_s)
            .arg("NX")
            .arg("EX")
            .arg(remember_s)
            .ignore()
            .cmd("HDEL")
            .arg(refusals_key(&token.room))
            .arg(short_hash(&[&token.identity]))
            .ignore()
            .query_async(&mut connection)
            .await?;
        Ok(())
    }

    async fn arrive(&self, mark: &str, sid: &str, now_s: u64) -> Result<Arrival, CacheDown> {
        let mut connection = self.connection.clone();
        let mut call = ARRIVE.key(token_key(mark));
        call.arg(sid).arg(now_s).arg(BURNED_S);
        let answer: String = call.invoke_async(&mut connection).await?;
        match answer.as_str() {
            "first" => Ok(Arrival::First),
            "same" => Ok(Arrival::Same),
            "reconnect" => Ok(Arrival::Reconnect),
            "replay" => Ok(Arrival::Replay),
            "unknown" => Ok(Arrival::Unknown),
            _ => Err(CacheDown("Redis: an answer of another kind".to_owned())),
        }
    }

    async fn refuse(&self, room: &str, identity: &str, until_s: u64) -> Result<(), CacheDown> {
        let mut connection = self.connection.clone();
        let mut call = REFUSE.key(refusals_key(room));
        call.arg(short_hash(&[identity]))
            .arg(until_s)
            .arg(self.seconds_until(until_s));
        let _: () = call.invoke_async(&mut connection).await?;
        Ok(())
    }

    async fn is_refused(&self, room: &str, identity: &str, now_s: u64) -> Result<bool, CacheDown> {
        let mut connection = self.connection.clone();
        let until_s: Option<u64> = redis::cmd("HGET")
            .arg(refusals_key(room))
            .arg(short_hash(&[identity]))
            .query_async(&mut connection)
            .await?;
        Ok(until_s.is_some_and(|until_s| now_s < until_s))
    }

    async fn forget_room(&self, room: &str) -> Result<(), CacheDown> {
        let mut connection = self.connection.clone();
        let _: () = redis::cmd("DEL")
            .arg(refusals_key(room))
            .query_async(&mut connection)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::conformance::{self, START_S, issued};
    use super::*;
    use trellis_relay::clock::FakeClock;

    /// The server that the tests have, if there is one.
    fn url() -> Option<String> {
        std::env::var("TEST_REDIS_URL").ok()
    }

    #[tokio::test]
    async fn l7_redis_keeps_what_every_cache_promises() {
        let Some(url) = url() else { return };
        let clock = Arc::new(FakeClock::at_s(START_S));
        let cache = InRedis::new(&url, clock.clone()).unwrap();
        conformance::run(&cache, &clock).await;
    }

    #[tokio::test]
    async fn l7_relays_share_what_became_of_a_token() {
        let Some(url) = url() else { return };
        let clock = Arc::new(FakeClock::at_s(START_S));
        let relays = [0; 2].map(|_| InRedis::new(&url, clock.clone()).unwrap());
        let token = conformance::token_of("shared");
        relays[0].issue(&token).await.unwrap();
        let came = relays[1].arrive(&token.mark, "PA_1", START_S).await;
        assert_eq!(came.unwrap(), Arrival::First);
        let copy = relays[0].arrive(&token.mark, "PA_2", START_S).await;
        assert_eq!(copy.unwrap(), Arrival::Replay);
    }

    #[tokio::test]
    async fn l7_nothing_stays_in_redis_that_names_a_room_or_somebody() {
        let Some(url) = url() else { return };
        let clock = Arc::new(FakeClock::at_s(START_S));
        let cache = InRedis::new(&url, clock.clone()).unwrap();
        let token = conformance::token_of("alice-is-named-nowhere");
        cache.issue(&token).await.unwrap();
        cache.arrive(&token.mark, "PA_1", START_S).await.unwrap();
        let until_s = START_S + 300;
        cache
            .refuse(&token.room, &token.identity, until_s)
            .await
            .unwrap();
        let mut connection = cache.connection.clone();
        let keys = [token_key(&token.mark), refusals_key(&token.room)];
        for key in &keys {
            let ttl_s: i64 = redis::cmd("TTL")
                .arg(key)
                .query_async(&mut connection)
                .await
                .unwrap();
            assert!((1..=300).contains(&ttl_s), "{key} ends in {ttl_s} s");
            assert!(!key.contains("alice") && !key.contains(&token.room));
        }
        let value: String = redis::cmd("GET")
            .arg(&keys[0])
            .query_async(&mut connection)
            .await
            .unwrap();
        assert_eq!(value, format!("{} PA_1", token.expires_at_s));
        let people: Vec<String> = redis::cmd("HGETALL")
            .arg(&keys[1])
            .query_async(&mut connection)
            .await
            .unwrap();
        assert!(people.iter().all(|it| !it.contains("alice")), "{people:?}");
    }

    #[tokio::test]
    async fn l7_redis_that_is_not_there_is_an_error_without_its_address() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("nobody");
        let url = format!("unix://{}", socket.display());
        let cache = InRedis::new(&url, Arc::new(FakeClock::at_s(START_S))).unwrap();
        let error = cache.issue(&issued("mark", "alice")).await.unwrap_err();
        assert!(!error.to_string().contains("nobody"), "{error}");
        cache.arrive("mark", "PA_1", START_S).await.unwrap_err();
        cache
            .is_refused("room", "alice", START_S)
            .await
            .unwrap_err();
    }
}
