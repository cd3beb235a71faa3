// Takes all own events from a relay along, as JSON lines on standard output, oldest first:
//
//   npm install
//   NOSTR_SECRET_KEY=<64 hex digits> node own-events.js https://relay.example.com > events.jsonl
//
// A stream that breaks off is gone on with where it ended, and a relay that has no place at the moment is asked again: as often
// as something new comes, and otherwise a few times. With --print-header the script asks nothing and prints the Authorization
// header for curl; it is good for one request within a minute.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { getToken } from 'nostr-tools/nip98';
import { finalizeEvent } from 'nostr-tools/pure';

/** Requests in a row that may bring nothing new. */
const TRIES = 10;
/** Seconds between two, where the relay does not say how many. */
const WAIT_S = 5;
/** Longer than this is left to whoever started the script. Seconds. */
const WAIT_MAX_S = 3600;

/** The value of an Authorization header (NIP-98) for a GET of this URL. Each is good once, and two of a second have to differ. */
export function authorization(url, secretHex) {
  const secret = Uint8Array.from(Buffer.from(secretHex, 'hex'));
  const sign = (event) => finalizeEvent({ ...event, tags: [...event.tags, ['nonce', randomUUID()]] }, secret);
  return getToken(url, 'get', sign, true);
}

/** The route of a relay, which may be below a path, with what is left out. */
function routeOf(relay, since) {
  const address = relay.replace(/^ws/, 'http');
  if (!/^https?:/.test(address) || !URL.canParse(address)) {
    throw new Error(`${relay}: found no address of a relay, such as https://relay.example.com`);
  }
  const route = new URL(address);
  route.pathname = `${route.pathname.replace(/\/+$/, '')}/own/events`;
  route.search = since > 0 ? `?since=${since}` : '';
  return route.href;
}

/** The relay's words, or those of a proxy before it. */
async function refusal(response) {
  const text = await response.text();
  try {
    return `${response.status}: ${JSON.parse(text).error}`;
  } catch {
    return `${response.status}: ${text.slice(0, 200)}`;
  }
}

/** Hands each line out once, as text, and waits for what `line` gives; says how many there were. */
export async function ownEvents(relay, secretHex, line) {
  let since = 0;
  let count = 0;
  let isReached = false;
  // Of the last second, which comes again.
  let seen = new Set();
  const take = async (text) => {
    const { id, created_at } = JSON.parse(text);
    if (seen.has(id)) return;
    if (created_at > since) seen = new Set();
    since = created_at;
    seen.add(id);
    count += 1;
    await line(text);
  };
  for (let tries = 1; ; tries += 1) {
    const before = count;
    let waitS = WAIT_S;
    let problem;
    const url = routeOf(relay, since);
    const response = await fetch(url, { headers: { Authorization: await authorization(url, secretHex) } }).catch((error) => {
      problem = new Error(`${url}: ${error.cause?.message ?? error.message}`);
    });
    // Nobody is there, or the address has a slip of the pen.
    if (!response && !isReached) throw problem;
    isReached = true;
    if (response?.ok) {
      // Only what comes from the relay may be asked for again.
      const parts = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = '';
      for (;;) {
        const part = await parts.read().catch((error) => {
          problem = new Error(`the stream broke off: ${error.cause?.message ?? error.message}`);
        });
        if (!part) break;
        if (part.done) return count;
        const lines = (rest + part.value).split('\n');
        rest = lines.pop();
        for (const text of lines) await take(text);
      }
    } else if (response) {
      problem = new Error(await refusal(response));
      // A stream of this key that has not ended yet, too often, no place.
      if (![409, 429, 502, 503, 504].includes(response.status)) throw problem;
      waitS = Number(response.headers.get('retry-after')) || WAIT_S;
    }
    if (count > before) tries = 0;
    if (tries >= TRIES || waitS > WAIT_MAX_S) throw problem;
    console.error(`${problem.message}; once more in ${waitS} s`);
    await sleep(waitS * 1000);
  }
}

async function main(args) {
  const printed = args[0] === '--print-header' ? args.shift() : undefined;
  const [relay] = args;
  const secretHex = process.env.NOSTR_SECRET_KEY;
  if (!relay || !/^[0-9a-f]{64}$/i.test(secretHex ?? '')) {
    console.error('usage: NOSTR_SECRET_KEY=<64 hex digits> node own-events.js [--print-header] URL');
    process.exit(2);
  }
  if (printed) {
    console.log(`Authorization: ${await authorization(routeOf(relay, 0), secretHex)}`);
    return;
  }
  const count = await ownEvents(relay, secretHex, async (text) => {
    if (!process.stdout.write(`${text}\n`)) await once(process.stdout, 'drain');
  });
  console.error(`${count} events`);
}

if (import.meta.filename === process.argv[1]) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
}
