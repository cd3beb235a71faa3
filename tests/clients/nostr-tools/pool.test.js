// nostr-tools' SimplePool against a running relay: what most web clients use.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { SimplePool } from 'nostr-tools/pool';
import { author, url, within } from './support.js';

const pool = new SimplePool();
after(() => pool.destroy());

test('C1 a pool publishes and finds', async () => {
  const ann = author();
  const events = ['a', 'b', 'c'].map((content, i) =>
    ann.sign({ kind: 1, created_at: 1_700_000_000 + i, content }),
  );
  for (const event of events) await within('OK', Promise.all(pool.publish([url], event)));
  const found = await within('EOSE', pool.querySync([url], { authors: [ann.pubkey] }));
  assert.deepEqual(found.map((event) => event.content).sort(), ['a', 'b', 'c']);
  const newest = await within('EOSE', pool.get([url], { authors: [ann.pubkey] }));
  assert.equal(newest.content, 'c');
});

test('C1 a pool follows an address', async () => {
  const ann = author();
  const post = (created_at, content) =>
    ann.sign({ kind: 30023, created_at, tags: [['t', 'x'], ['d', 'post']], content });
  await Promise.all(pool.publish([url], post(1_700_000_000, 'draft')));
  await Promise.all(pool.publish([url], post(1_700_000_001, 'final')));
  const filter = { kinds: [30023], authors: [ann.pubkey], '#d': ['post'] };
  const found = await within('EOSE', pool.querySync([url], filter));
  assert.deepEqual(found.map((event) => event.content), ['final']);
});

test('C3 many subscriptions of one pool each get their own events', async () => {
  const authors = Array.from({ length: 40 }, author);
  const arrivals = authors.map(
    ({ pubkey }) =>
      new Promise((resolve) => {
        pool.subscribeMany([url], { authors: [pubkey], kinds: [1] }, { onevent: resolve });
      }),
  );
  for (const { sign } of authors) await Promise.all(pool.publish([url], sign({ kind: 1, content: 'mine' })));
  const events = await within('all events', Promise.all(arrivals));
  assert.deepEqual(events.map((event) => event.pubkey), authors.map(({ pubkey }) => pubkey));
});

test('C8 C10 a pool authenticates when it publishes a protected event', async () => {
  const ann = author();
  const event = ann.sign({ kind: 1, tags: [['-']], content: 'from me only' });
  await assert.rejects(Promise.all(pool.publish([url], event)), /auth-required: /);
  await within('OK', Promise.all(pool.publish([url], event, { onauth: ann.signAsync })));
  const found = await within('EOSE', pool.querySync([url], { ids: [event.id] }));
  assert.equal(found.length, 1);
});
