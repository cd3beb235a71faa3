// The page: logs in, calls somebody or is called, and shows who is there. `#relay=..&key=new&call=..` in the address fills
// in and sends the forms.

import { nip19 } from 'nostr-tools'
import { Room, RoomEvent } from 'livekit-client'
import { Session } from './session.js'

const $ = (id) => document.getElementById(id)
const asked = new URLSearchParams(location.hash.slice(1))
let session

function status(text) {
  $('status').textContent = text
}

/** Runs what a form or button asks for, and shows what went wrong. */
async function attempt(work) {
  try {
    await work()
  } catch (error) {
    status(error.message ?? String(error))
  }
}

async function logIn() {
  session = await Session.open($('relay').value, $('key').value)
  $('me').textContent = nip19.npubEncode(session.pubkey)
  $('login').hidden = true
  $('dial').hidden = false
  session.whenCalled(ring)
  status('Ready.')
}

/** Somebody calls. */
function ring(offer) {
  const button = document.createElement('button')
  button.textContent = `Answer ${nip19.npubEncode(offer.pubkey).slice(0, 16)}…`
  button.onclick = () =>
    attempt(async () => {
      button.remove()
      await join(await session.answer(offer))
    })
  $('ringing').append(button)
}

async function dial() {
  const text = $('peer').value.trim()
  const peer = text.startsWith('npub1') ? nip19.decode(text).data : text
  status('Calling…')
  await join(await session.call(peer))
}

/** Joins the room of a token, with camera and microphone where there are any. */
async function join({ url, token }) {
  const room = new Room()
  room.on(RoomEvent.TrackSubscribed, (track) => $('people').append(track.attach()))
  room.on(RoomEvent.TrackUnsubscribed, (track) => track.detach().forEach((element) => element.remove()))
  room.on(RoomEvent.Disconnected, () => {
    status('The call is over.')
    $('people').replaceChildren()
    $('hang-up').hidden = true
  })
  await room.connect(url, token)
  status('You are in the call.')
  $('hang-up').hidden = false
  $('hang-up').onclick = () => room.disconnect()
  for (const enable of ['setMicrophoneEnabled', 'setCameraEnabled']) {
    await room.localParticipant[enable](true).catch(() => status('You are in the call, without all devices.'))
  }
}

$('login').onsubmit = (event) => {
  event.preventDefault()
  attempt(logIn)
}
$('dial').onsubmit = (event) => {
  event.preventDefault()
  attempt(dial)
}

attempt(async () => {
  for (const [id, name] of [['relay', 'relay'], ['key', 'key'], ['peer', 'call']]) {
    $(id).value = asked.get(name) ?? ''
  }
  if (asked.has('relay') && asked.has('key')) await logIn()
  if (session && asked.has('call')) await dial()
})
