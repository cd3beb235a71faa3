// blossom-client-sdk against a Blossom server inside a relay: its own helpers make the tokens, it asks first with HEAD and
// pays attention to what it is answered, as applications that use it do.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { after, test } from 'node:test';
import { Actions, createDeleteAuth, createListAuth, createUploadAuth } from 'blossom-client-sdk';
import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure';

const server = process.env.TRELLIS_BLOSSOM_URL;
if (!server) throw new Error('TRELLIS_BLOSSOM_URL names the server to test, such as http://127.0.0.1:8080');

/** Someone with a key of their own, as the SDK wants it. */
function person() {
  const secret = generateSecretKey();
  return { pubkey: getPublicKey(secret), signer: async (draft) => finalizeEvent(draft, secret) };
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const pdf = (name) => new Blob([`%PDF-1.7\n1 0 obj <</Type /Catalog /N (${name})>> endobj\ntrailer <<>>\n%%EOF\n`], { type: 'application/pdf' });
const bytesOf = async (blob) => new Uint8Array(await blob.arrayBuffer());

/** Uploads with a token that is asked for when the server wants one. */
function upload(who, blob, options = {}) {
  return Actions.uploadBlob(server, blob, {
    onAuth: (_server, hash, type) => createUploadAuth(who.signer, hash, { type, servers: server }),
    ...options,
  });
}

test('B2 an upload is stored byte for byte, and known the second time', async () => {
  const alice = person();
  const blob = pdf(alice.pubkey);
  const bytes = await bytesOf(blob);
  const told = await upload(alice, blob);
  assert.equal(told.sha256, sha256(bytes));
  assert.equal(told.size, bytes.length);
  assert.equal(told.type, 'application/pdf');
  assert.equal(told.url, `${server}/${told.sha256}.pdf`);
  assert.deepEqual(await upload(alice, blob), told);
  const got = await fetch(told.url);
  assert.equal(got.headers.get('content-type'), 'application/pdf');
  assert.deepEqual(new Uint8Array(await got.arrayBuffer()), bytes);
});

test('B1 a blob is found by HEAD and downloaded with what it is', async () => {
  const alice = person();
  const { sha256: hash } = await upload(alice, pdf(alice.pubkey));
  assert.equal(await Actions.hasBlob(server, hash), true);
  assert.equal(await Actions.hasBlob(server, hash.replaceAll(/./g, '0')), false);
  const got = await Actions.downloadBlob(server, hash);
  assert.equal(sha256(new Uint8Array(await got.arrayBuffer())), hash);
});

test('B3 a token that the SDK makes for another server is none here', async () => {
  const alice = person();
  const options = { onAuth: (_server, hash) => createUploadAuth(alice.signer, hash, { servers: 'https://cdn.example.com' }) };
  await assert.rejects(upload(alice, pdf(alice.pubkey), options), (error) => error.status === 401 && /another server/.test(error.message));
});

test('B4 what is no media is refused with the reason, whatever it is called', async () => {
  const alice = person();
  const page = new Blob(['<!doctype html><script>alert(1)</script>'], { type: 'image/png' });
  await assert.rejects(upload(alice, page), (error) => error.status === 415);
  const html = new Blob(['<!doctype html>'], { type: 'text/html' });
  await assert.rejects(upload(alice, html), (error) => error.status === 415 && /text\/html/.test(error.message));
});

test('B10 whoever uploaded a blob deletes it, and nobody else', async () => {
  const [alice, bob] = [person(), person()];
  const { sha256: hash } = await upload(alice, pdf(alice.pubkey));
  const by = (who) => ({ onAuth: (_server, hash) => createDeleteAuth(who.signer, hash, { servers: server }) });
  await assert.rejects(Actions.deleteBlob(server, hash, by(bob)), (error) => error.status === 403);
  assert.equal(await Actions.deleteBlob(server, hash, by(alice)), true);
  assert.equal(await Actions.hasBlob(server, hash), false);
});

test('B11 a list comes in pages, newest first', async () => {
  const alice = person();
  const stored = [];
  for (const name of ['one', 'two', 'three', 'four', 'five']) {
    stored.unshift((await upload(alice, pdf(alice.pubkey + name))).sha256);
  }
  const auth = await createListAuth(alice.signer, { servers: server });
  const all = await Actions.listBlobs(server, alice.pubkey, { auth });
  assert.deepEqual(all.map((it) => it.sha256), stored);
  const paged = [];
  for await (const page of Actions.iterateBlobs(server, alice.pubkey, { auth, limit: 2 })) {
    assert.ok(page.length <= 2);
    paged.push(...page.map((it) => it.sha256));
  }
  assert.deepEqual(paged, stored);
  await assert.rejects(Actions.listBlobs(server, person().pubkey, { auth }), (error) => error.status === 403);
});

test('B12 a blob is mirrored from another server', async () => {
  const alice = person();
  const blob = pdf(`mirrored ${alice.pubkey}`);
  const bytes = await bytesOf(blob);
  const origin = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/pdf', 'content-length': bytes.length });
    response.end(bytes);
  });
  await new Promise((listening) => origin.listen(0, '127.0.0.1', listening));
  after(() => origin.close());
  const hash = sha256(bytes);
  const url = `http://127.0.0.1:${origin.address().port}/${hash}.pdf`;
  const onAuth = (_server, hash) => createUploadAuth(alice.signer, hash, { servers: server });
  const told = await Actions.mirrorBlob(server, { url, sha256: hash, size: bytes.length, type: 'application/pdf' }, { onAuth });
  assert.equal(told.sha256, hash);
  const wrong = (server) => createUploadAuth(alice.signer, sha256('other'), { servers: server });
  await assert.rejects(
    Actions.mirrorBlob(server, { url, sha256: hash, size: bytes.length }, { onAuth: wrong }),
    (error) => error.status === 409,
  );
});

/** A picture of one pixel in which a camera has left words. */
function picture(words) {
  const jpeg = Buffer.from(
    'ffd8ffe000104a46494600010101004800480000ffdb004300' +
      '03020202020203020202030303030406040404040408060605060908'.padEnd(128, '0a') +
      'ffc0000b080001000101011100ffc40014000100000000000000000000000000000009' +
      'ffc40014100100000000000000000000000000000000ffda0008010100003f00549fffd9',
    'hex',
  );
  const exif = Buffer.concat([Buffer.from('Exif\0\0'), Buffer.from(words)]);
  const marker = Buffer.from([0xff, 0xe1, (exif.length + 2) >> 8, (exif.length + 2) & 255]);
  return Buffer.concat([jpeg.subarray(0, 20), marker, exif, jpeg.subarray(20)]);
}

test('B12 media are stored without their metadata', async () => {
  const alice = person();
  const jpeg = picture(`secret of ${alice.pubkey}`);
  const told = await Actions.uploadMedia(server, new Blob([jpeg], { type: 'image/jpeg' }), {
    onAuth: (_server, hash) => createUploadAuth(alice.signer, hash, { type: 'media', servers: server }),
  });
  assert.equal(told.type, 'image/jpeg');
  assert.notEqual(told.sha256, sha256(jpeg));
  const got = new Uint8Array(await (await fetch(told.url)).arrayBuffer());
  assert.equal(sha256(got), told.sha256);
  assert.ok(!Buffer.from(got).includes('secret'));
});

test('B12 a report is taken', async () => {
  const [alice, bob] = [person(), person()];
  const { sha256: hash } = await upload(alice, pdf(alice.pubkey));
  const draft = { kind: 1984, created_at: Math.floor(Date.now() / 1000), content: 'look', tags: [['x', hash, 'spam']] };
  const report = await bob.signer(draft);
  const results = await Actions.reportBlobs([server], report, { onError: (_server, error) => assert.fail(error) });
  assert.equal(results.get(server), true);
});

test('B3 one token serves many requests until it expires', async () => {
  const alice = person();
  const authEvents = new Set();
  const blob = pdf(alice.pubkey);
  let signed = 0;
  const onAuth = (_server, hash) => {
    signed += 1;
    return createUploadAuth(alice.signer, hash, { servers: server });
  };
  const first = await Actions.uploadBlob(server, blob, { auth: true, authEvents, onAuth });
  assert.deepEqual(await Actions.uploadBlob(server, blob, { auth: true, authEvents, onAuth }), first);
  assert.equal(signed, 1);
});
