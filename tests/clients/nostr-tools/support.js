// What the scripts share: where the relay is, and a promise that gives up.

import { useWebSocketImplementation as usedByRelay } from 'nostr-tools/relay';
import { useWebSocketImplementation as usedByPool } from 'nostr-tools/pool';
import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import WebSocket from 'ws';

usedByRelay(WebSocket);
usedByPool(WebSocket);

/** How long anything may take before a test gives up; far above what is normal. */
const DEADLINE_MS = 30_000;

export const url = process.env.TRELLIS_URL;
if (!url) throw new Error('TRELLIS_URL names the relay to test, such as ws://127.0.0.1:8080');

/** Someone with a key of their own. */
export function author() {
  const secret = generateSecretKey();
  const sign = (draft) =>
    finalizeEvent({ created_at: Math.floor(Date.now() / 1000), tags: [], content: '', ...draft }, secret);
  return { pubkey: getPublicKey(secret), sign, signAsync: async (draft) => sign(draft) };
}

/** The promise's value, or an error that says what was waited for. */
export function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), DEADLINE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Opens a subscription; its stored events, and functions for what comes after. */
export async function open(relay, filters) {
  const live = [];
  const waiting = [];
  const stored = [];
  let eosed = false;
  let subscription;
  await within(
    'EOSE',
    new Promise((resolve, reject) => {
      subscription = relay.subscribe(filters, {
        eoseTimeout: DEADLINE_MS,
        onevent: (event) => {
          if (!eosed) stored.push(event);
          else if (waiting.length > 0) waiting.shift()(event);
          else live.push(event);
        },
        oneose: () => {
          eosed = true;
          resolve();
        },
        onclose: (reason) => reject(new Error(reason)),
      });
    }),
  );
  const next = () =>
    within('a live event', live.length > 0 ? live.shift() : new Promise((resolve) => waiting.push(resolve)));
  return { stored, next, close: () => subscription.close() };
}
