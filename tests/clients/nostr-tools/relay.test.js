// nostr-tools' Relay against a running relay.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fetchRelayInformation } from 'nostr-tools/nip11';
import { Relay } from 'nostr-tools/relay';
import { author, open, url, within } from './support.js';

let relay;
before(async () => {
  relay = await within('a connection', Relay.connect(url));
});
after(() => relay?.close());

test('C1 an event is published, acknowledged and read back', async () => {
  const ann = author();
  const event = ann.sign({ kind: 1, tags: [['t', 'client']], content: 'tab\t quote" 🦀 \u0001' });
  await within('OK', relay.publish(event));
  const { stored, close } = await open(relay, [{ authors: [ann.pubkey] }]);
  assert.deepEqual(stored.map(({ id, content, tags }) => ({ id, content, tags })), [
    { id: event.id, content: event.content, tags: event.tags },
  ]);
  close();
});

test('C1 live events arrive after the stored ones', async () => {
  const ann = author();
  await relay.publish(ann.sign({ kind: 1, content: 'stored' }));
  const { stored, next, close } = await open(relay, [{ authors: [ann.pubkey], kinds: [1] }]);
  assert.deepEqual(stored.map((event) => event.content), ['stored']);
  for (const content of ['first', 'second']) {
    await relay.publish(ann.sign({ kind: 1, content }));
    assert.equal((await next()).content, content);
  }
  close();
});

test('C1 a newer replaceable event replaces the older', async () => {
  const ann = author();
  const now = Math.floor(Date.now() / 1000);
  await relay.publish(ann.sign({ kind: 0, created_at: now - 1, content: '{"name":"old"}' }));
  await relay.publish(ann.sign({ kind: 0, created_at: now, content: '{"name":"new"}' }));
  const { stored, close } = await open(relay, [{ kinds: [0], authors: [ann.pubkey] }]);
  assert.deepEqual(stored.map((event) => event.content), ['{"name":"new"}']);
  close();
});

test('C2 a forged event is refused with its reason', async () => {
  const event = author().sign({ kind: 1, content: 'sound' });
  await assert.rejects(relay.publish({ ...event, content: 'forged' }), /invalid: /);
});

test('C4 a deletion takes the event away', async () => {
  const ann = author();
  const event = ann.sign({ kind: 1, content: 'regretted' });
  await relay.publish(event);
  await relay.publish(ann.sign({ kind: 5, tags: [['e', event.id]] }));
  const { stored, close } = await open(relay, [{ ids: [event.id] }]);
  assert.deepEqual(stored, []);
  close();
  await assert.rejects(relay.publish(event), /blocked: /);
});

test('C5 the information document is found where nostr-tools looks for it', async () => {
  const information = await fetchRelayInformation(url);
  assert.ok(information.supported_nips.includes(1));
  assert.ok(information.limitation.max_subscriptions > 0);
});

test('C8 C9 gift wraps are readable after authentication', async () => {
  const [ann, bob] = [author(), author()];
  const own = await within('a connection', Relay.connect(url));
  const wrap = ann.sign({ kind: 1059, tags: [['p', bob.pubkey]], content: 'sealed' });
  await relay.publish(wrap);
  await assert.rejects(open(own, [{ kinds: [1059], '#p': [bob.pubkey] }]), /auth-required: /);
  await within('OK', own.auth(bob.signAsync));
  const { stored, close } = await open(own, [{ kinds: [1059], '#p': [bob.pubkey] }]);
  assert.deepEqual(stored.map((event) => event.id), [wrap.id]);
  close();
  own.close();
});

test('C10 events are counted', async () => {
  const ann = author();
  for (const content of ['a', 'b', 'c']) await relay.publish(ann.sign({ kind: 1, content }));
  assert.equal(await within('COUNT', relay.count([{ authors: [ann.pubkey] }], {})), 3);
});
