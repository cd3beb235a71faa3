// What goes between the page and the relay: an identity, offers (20010) and answers (20011), and tokens for what was agreed.

import { finalizeEvent, generateSecretKey, getPublicKey, nip19 } from 'nostr-tools'
import { Relay } from 'nostr-tools/relay'

const OFFER = 20010
const ANSWER = 20011
/** An offer is remembered for two minutes. */
const PATIENCE_MS = 120_000

const now = () => Math.floor(Date.now() / 1000)

export class Session {
  /** Logs in at a relay with a secret key, or by a browser extension where it is empty. */
  static async open(relayUrl, key) {
    const session = new Session()
    const identity = identityOf(key.trim())
    session.sign = (draft) => identity.sign({ created_at: now(), content: '', ...draft })
    session.pubkey = await identity.pubkey()
    session.relay = await Relay.connect(relayUrl)
    session.relay.onauth = (draft) => session.sign(draft)
    session.tokens = await operatorOf(relayUrl)
    return session
  }

  /** Tells of each offer to this key from now on. */
  whenCalled(tell) {
    this.relay.subscribe([{ kinds: [OFFER], '#p': [this.pubkey], since: now() - 60 }], { onevent: tell })
  }

  /** Calls somebody and waits for the answer: `{url, token}`. */
  async call(peer) {
    const offer = await this.sign({ kind: OFFER, tags: [['p', peer]] })
    const answered = new Promise((resolve, reject) => {
      const filter = { kinds: [ANSWER], authors: [peer], '#e': [offer.id] }
      const subscription = this.relay.subscribe([filter], {
        onevent(answer) {
          subscription.close()
          resolve(answer)
        },
      })
      setTimeout(() => {
        subscription.close()
        reject(new Error('Nobody has answered.'))
      }, PATIENCE_MS)
    })
    await this.relay.publish(offer)
    return this.token(offer, await answered)
  }

  /** Answers an offer: `{url, token}`. */
  async answer(offer) {
    const tags = [['p', offer.pubkey], ['e', offer.id, '', 'root']]
    const answer = await this.sign({ kind: ANSWER, tags })
    await this.relay.publish(answer)
    return this.token(answer, offer)
  }

  /** Asks for a token, in a request that is signed for its address, method and body (NIP-98). */
  async token(event, peerEvent) {
    const url = `${this.tokens}/token/dm`
    const body = JSON.stringify({ event, peer_event: peerEvent })
    const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(body))
    const payload = [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
    const tags = [['u', url], ['method', 'POST'], ['payload', payload]]
    const signed = await this.sign({ kind: 27235, tags })
    const headers = { Authorization: `Nostr ${btoa(JSON.stringify(signed))}`, 'Content-Type': 'application/json' }
    const answer = await fetch(url, { method: 'POST', headers, body })
    const said = await answer.json()
    if (!answer.ok) throw new Error(`${said.error.code}: ${said.error.message}`)
    return said
  }
}

/** Who signs: a key that was typed, a new one, or the browser's extension. */
function identityOf(key) {
  if (key === '') {
    if (!window.nostr) throw new Error('This browser has no extension with a Nostr key; type one.')
    return { pubkey: () => window.nostr.getPublicKey(), sign: (draft) => window.nostr.signEvent(draft) }
  }
  const secret = secretOf(key)
  return { pubkey: async () => getPublicKey(secret), sign: async (draft) => finalizeEvent(draft, secret) }
}

function secretOf(key) {
  if (key === 'new') return generateSecretKey()
  if (key.startsWith('nsec1')) return nip19.decode(key).data
  if (!/^[0-9a-f]{64}$/.test(key)) throw new Error('The secret key must be nsec or 64 hex digits.')
  return Uint8Array.from(key.match(/../g), (byte) => parseInt(byte, 16))
}

/** Where tokens are: as the relay's information document (NIP-11) says, or at the relay itself. */
async function operatorOf(relayUrl) {
  const own = relayUrl.replace(/^ws/, 'http').replace(/\/$/, '')
  const answer = await fetch(own, { headers: { Accept: 'application/nostr+json' } })
  const information = await answer.json()
  return information.synchrono_city?.sidecar_url?.replace(/\/$/, '') ?? own
}
