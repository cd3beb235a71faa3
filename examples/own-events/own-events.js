// Takes all own events from a relay along, as JSON lines on standard output, oldest first:
//
//   npm install
//   NOSTR_SECRET_KEY=<64 hex digits> node own-events.js https://relay.example.com > events.jsonl
//
// A stream that breaks off is gone on with where it ended, as often as something new comes. With --print-header the script
// asks nothing and prints the Authorization header for curl; it is good for one request within a minute.

import { randomUUID } from 'node:crypto';
import { getToken } from 'nostr-tools/nip98';
import { finalizeEvent } from 'nostr-tools/pure';

/** The value of an Authorization header (NIP-98) for a GET of this URL. Each is good once, and two of a second have to differ. */
export function authorization(url, secretHex) {
  const secret = Uint8Array.from(Buffer.from(secretHex, 'hex'));
  const sign = (event) => finalizeEvent({ ...event, tags: [...event.tags, ['nonce', randomUUID()]] }, secret);
  return getToken(url, 'get', sign, true);
}

/** The route of a relay, with what is left out. */
function routeOf(relay, since) {
  const route = new URL('/own/events', relay.replace(/^ws/, 'http'));
  if (since > 0) route.searchParams.set('since', String(since));
  return route.href;
}

/** Hands out each line once, as text; says how many there were. */
export async function ownEvents(relay, secretHex, line) {
  let since = 0;
  let count = 0;
  // Of the last second, which comes again.
  let seen = new Set();
  for (;;) {
    const url = routeOf(relay, since);
    const response = await fetch(url, { headers: { Authorization: await authorization(url, secretHex) } });
    if (!response.ok) throw new Error(`${response.status}: ${(await response.json()).error}`);
    const before = count;
    const take = (text) => {
      const { id, created_at } = JSON.parse(text);
      if (seen.has(id)) return;
      if (created_at > since) seen = new Set();
      since = created_at;
      seen.add(id);
      count += 1;
      line(text);
    };
    let rest = '';
    try {
      for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + part).split('\n');
        rest = lines.pop();
        lines.forEach(take);
      }
      return count;
    } catch (error) {
      if (count === before) throw error;
    }
  }
}

async function main(args) {
  const printed = args[0] === '--print-header' ? args.shift() : undefined;
  const [relay] = args;
  const secretHex = process.env.NOSTR_SECRET_KEY;
  if (!relay || !secretHex) {
    console.error('usage: NOSTR_SECRET_KEY=HEX node own-events.js [--print-header] URL');
    process.exit(2);
  }
  if (printed) {
    console.log(`Authorization: ${await authorization(routeOf(relay, 0), secretHex)}`);
    return;
  }
  const count = await ownEvents(relay, secretHex, (text) => process.stdout.write(`${text}\n`));
  console.error(`${count} events`);
}

if (import.meta.filename === process.argv[1]) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
}
