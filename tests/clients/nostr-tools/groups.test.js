// Groups (NIP-29), with the events, requests and readers of nostr-tools.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import * as nip29 from 'nostr-tools/nip29';
import { SimplePool } from 'nostr-tools/pool';
import { author, url, within } from './support.js';

const page = url.replace(/^ws/, 'http');
const information = await (await fetch(page, { headers: { Accept: 'application/nostr+json' } })).json();
// nostr-tools looks for the relay's key in `pubkey`; NIP-29 has it in `self`.
const relayInformation = { ...information, pubkey: information.self };
const pools = [];
after(() => pools.forEach((pool) => pool.destroy()));

/** Someone with a connection of their own, who logs in when asked. */
function user() {
  const self = author();
  const pool = new SimplePool({ automaticallyAuth: () => self.signAsync });
  pools.push(pool);
  const send = (template) => {
    const event = self.sign(template);
    return within('OK', Promise.all(pool.publish([url], event, { onauth: self.signAsync }))).then(() => event);
  };
  const asked = (id) => ({
    pool,
    groupReference: { host: url, id },
    normalizedRelayURL: url,
    relayInformation,
  });
  return { ...self, pool, send, asked };
}

/** Asks until the answer passes. */
async function until(what, ask, test) {
  const look = async () => {
    for (;;) {
      const answer = await ask().catch(() => null);
      if (answer !== null && test(answer)) return answer;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  return within(what, look());
}

test('G1 G3 a group is created, described and loaded', async () => {
  assert.ok(information.supported_nips.includes(29));
  const ann = user();
  await ann.send(nip29.generateCreateGroupEventTemplate('lovers'));
  const metadata = {
    id: 'lovers',
    name: 'Pizza',
    about: 'we eat',
    picture: 'https://pizza.example/p.png',
    isRestricted: true,
    supportedKinds: ['9', '11'],
  };
  await ann.send(nip29.generateEditGroupMetadataEventTemplate({ metadata }));
  const bob = user();
  await ann.send(nip29.generatePutUserEventTemplate('lovers', bob.pubkey, ['moderator']));
  const load = () => nip29.loadGroup(ann.asked('lovers'));
  const group = await until('the group', load, (it) => it.members.length === 2 && it.metadata.name === 'Pizza');
  assert.equal(group.metadata.about, 'we eat');
  assert.equal(group.metadata.isRestricted, true);
  assert.deepEqual(group.metadata.supportedKinds, ['9', '11']);
  assert.equal(group.metadata.pubkey, information.self);
  const labels = Object.fromEntries(group.admins.map(({ pubkey, label }) => [pubkey, label]));
  assert.deepEqual(labels, { [ann.pubkey]: 'admin', [bob.pubkey]: 'moderator' });
  const roles = nip29.parseGroupRolesEvent(await nip29.fetchGroupRolesEvent(ann.asked('lovers')));
  assert.deepEqual(roles.map(({ name }) => name), ['admin', 'moderator']);
});

test('G2 people join, are told why not, and leave', async () => {
  const [ann, bob] = [user(), user()];
  await ann.send(nip29.generateCreateGroupEventTemplate('club'));
  const metadata = { id: 'club', name: 'Club', isClosed: true, isRestricted: true };
  await ann.send(nip29.generateEditGroupMetadataEventTemplate({ metadata }));
  const join = (code) => bob.send(nip29.generateGroupJoinRequestEventTemplate('club', code));
  await assert.rejects(join(), /restricted: this group is closed/);
  await ann.send(nip29.generateCreateInviteEventTemplate('club', 'sesame'));
  await join('sesame');
  const members = async () => nip29.parseGroupMembersEvent(await nip29.fetchGroupMembersEvent(ann.asked('club')));
  await until('the member', members, (it) => it.some(({ pubkey }) => pubkey === bob.pubkey));
  await assert.rejects(bob.send(nip29.generateGroupJoinRequestEventTemplate('club', 'sesame', 'again')), /duplicate: /);
  const message = await bob.send({ kind: 9, content: 'hello', tags: [['h', 'club']] });
  await ann.send(nip29.generateUpdatePinListEventTemplate('club', [{ type: 'e', value: message.id }]));
  const pins = async () =>
    nip29.parseGroupPinnedEventsEvent(await nip29.fetchGroupPinnedEventsEvent(bob.asked('club')));
  await until('the pin', pins, (it) => it.length === 1 && it[0].value === message.id);
  await ann.send(nip29.generateDeleteEventEventTemplate('club', message.id));
  await until('the deletion', () => bob.pool.querySync([url], { ids: [message.id] }), (it) => it.length === 0);
  await bob.send(nip29.generateGroupLeaveRequestEventTemplate('club'));
  await until('the leave', members, (it) => it.length === 1);
});

test('G4 a private group is read by its members alone', async () => {
  const [ann, bob, eve] = [user(), user(), user()];
  await ann.send(nip29.generateCreateGroupEventTemplate('secret'));
  const metadata = { id: 'secret', name: 'Secret', isPrivate: true, isRestricted: true };
  await ann.send(nip29.generateEditGroupMetadataEventTemplate({ metadata }));
  await ann.send(nip29.generatePutUserEventTemplate('secret', bob.pubkey));
  const message = await ann.send({ kind: 9, content: 'psst', tags: [['h', 'secret']] });
  const filter = { kinds: [9], '#h': ['secret'] };
  const read = (who) => who.pool.querySync([url], filter, { maxWait: 5000 });
  await until('the message', () => read(bob), (it) => it.length === 1 && it[0].id === message.id);
  assert.deepEqual(await read(eve), []);
  await ann.send(nip29.generateRemoveUserEventTemplate('secret', bob.pubkey));
  const bobAgain = { ...bob, pool: new SimplePool({ automaticallyAuth: () => bob.signAsync }) };
  pools.push(bobAgain.pool);
  await until('the removal', () => read(bobAgain), (it) => it.length === 0);
});
