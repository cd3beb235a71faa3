// The management API (NIP-86), with authorizations that nostr-tools makes (NIP-98).

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { getToken } from 'nostr-tools/nip98';
import { SimplePool } from 'nostr-tools/pool';
import { finalizeEvent } from 'nostr-tools/pure';
import { author, url, within } from './support.js';

const pool = new SimplePool();
after(() => pool.destroy());

const page = url.replace(/^ws/, 'http');
const secret = Uint8Array.from(Buffer.from(process.env.TRELLIS_OPERATOR_SECRET, 'hex'));

async function call(method, params = [], signed = page) {
  const body = { method, params };
  const token = await getToken(signed, 'post', (event) => finalizeEvent(event, secret), true, body);
  const response = await fetch(page, {
    method: 'POST',
    headers: { 'Content-Type': 'application/nostr+json+rpc', Authorization: token },
    body: JSON.stringify(body),
  });
  return { status: response.status, ...(await response.json()) };
}

test('C10 a call is authorized for every way to write the address', async () => {
  for (const signed of [page, `${page}/`, url, `${url}/`]) {
    const { status, result } = await call('supportedmethods', [], signed);
    assert.equal(status, 200, signed);
    assert.ok(result.includes('banpubkey'));
  }
  assert.equal((await call('supportedmethods', [], 'https://other.example.com')).status, 401);
});

test('C10 a ban keeps someone from publishing until it is lifted', async () => {
  const bob = author();
  const publish = (content) => {
    const event = bob.sign({ kind: 1, content });
    return within('OK', Promise.all(pool.publish([url], event)));
  };
  await publish('before');
  assert.equal((await call('banpubkey', [bob.pubkey, 'spam'])).result, true);
  await assert.rejects(publish('banned'), /blocked/);
  assert.deepEqual((await call('listbannedpubkeys')).result, [{ pubkey: bob.pubkey, reason: 'spam' }]);
  assert.equal((await call('unbanpubkey', [bob.pubkey])).result, true);
  await publish('after');
});

test('C10 what is wrong with a call is said', async () => {
  assert.match((await call('banpubkey')).error, /\[pubkey, reason\]/);
  assert.match((await call('nosuchmethod')).error, /supportedmethods/);
});
