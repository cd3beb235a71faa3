// One call of the relay management API (NIP-86):
//
//   npm install
//   NOSTR_SECRET_KEY=<64 hex digits> node manage.js https://relay.example.com METHOD [PARAMETER ...]
//
// Parameters are JSON where they can be read as such and the method does not take text, and text otherwise. With --print-header the script sends nothing
// and prints the Authorization header and the body, for curl; they are good for one call within a minute.

import { getToken } from 'nostr-tools/nip98';
import { finalizeEvent } from 'nostr-tools/pure';

/** Methods whose parameters are text, names and reasons of digits alone included. */
const TAKES_TEXT = /^(changerelay|(un)?(ban|allow)(pubkey|event)|(un)?blockip)/;

/** A parameter as the relay should read it: ids and keys of digits alone stay text. */
function parameter(method, text) {
  if (TAKES_TEXT.test(method) || /^[0-9a-f]{64}$/i.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The value of an Authorization header (NIP-98) that covers this URL and body. */
export function authorization(url, body, secretHex) {
  const secret = Uint8Array.from(Buffer.from(secretHex, 'hex'));
  return getToken(url, 'post', (event) => finalizeEvent(event, secret), true, body);
}

/** Calls a method: its result, or an error with the relay's words. */
export async function call(url, secretHex, method, params = []) {
  const body = { method, params };
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/nostr+json+rpc',
      Authorization: await authorization(url, body, secretHex),
    },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (answer.error) throw new Error(`${response.status}: ${answer.error}`);
  return answer.result;
}

async function main(args) {
  const printed = args[0] === '--print-header' ? args.shift() : undefined;
  const [url, method, ...words] = args;
  const secretHex = process.env.NOSTR_SECRET_KEY;
  if (!url || !method || !secretHex) {
    console.error('usage: NOSTR_SECRET_KEY=HEX node manage.js [--print-header] URL METHOD [PARAMETER ...]');
    process.exit(2);
  }
  const params = words.map((word) => parameter(method, word));
  if (printed) {
    const body = { method, params };
    console.log(`Authorization: ${await authorization(url, body, secretHex)}`);
    console.log(JSON.stringify(body));
    return;
  }
  console.log(JSON.stringify(await call(url, secretHex, method, params)));
}

if (import.meta.filename === process.argv[1]) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
}
