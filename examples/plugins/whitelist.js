#!/usr/bin/env node
// Lets those publish whose key is in MEMBERS, separated by commas. Written as strfry's documentation shows it, and in
// use with either relay.

const members = new Set((process.env.MEMBERS ?? '').split(','))

const lines = require('readline').createInterface({ input: process.stdin, terminal: false })

lines.on('line', (line) => {
  const { type, event } = JSON.parse(line)
  if (type !== 'new') {
    console.error(`asked for ${type}, which is not known here`)
    return
  }
  const answer = members.has(event.pubkey)
    ? { id: event.id, action: 'accept' }
    : { id: event.id, action: 'reject', msg: 'blocked: only members publish here' }
  console.log(JSON.stringify(answer))
})
