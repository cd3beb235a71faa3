// A service account of Google's and the address where it gets its tokens, on this machine: prints the account's key file,
// and gives a token to whoever signs with the key. Ends with the one who started it, which holds its standard input.
import { createServer } from 'node:http'
import { generateKeyPairSync, verify } from 'node:crypto'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const email = 'relay@project.iam.gserviceaccount.com'

/** Why the assertion is not worth a token; nothing if it is. */
function refusal(assertion, uri) {
  const [header, claims, signature] = assertion.split('.')
  const signed = Buffer.from(`${header}.${claims}`)
  if (!verify('sha256', signed, publicKey, Buffer.from(signature, 'base64url'))) return 'signature'
  if (JSON.parse(Buffer.from(header, 'base64url')).alg !== 'RS256') return 'algorithm'
  const { iss, aud, exp } = JSON.parse(Buffer.from(claims, 'base64url'))
  if (iss !== email || aud !== uri || !(exp > Date.now() / 1000)) return 'claims'
}

const server = createServer(async (request, response) => {
  let body = ''
  for await (const chunk of request) body += chunk
  const why = refusal(new URLSearchParams(body).get('assertion') ?? '..', uri())
  response.writeHead(why ? 400 : 200, { 'content-type': 'application/json' })
  const token = { access_token: 'given', token_type: 'Bearer', expires_in: 3600 }
  response.end(JSON.stringify(why ? { error: why } : token))
})
const uri = () => `http://127.0.0.1:${server.address().port}/token`

server.listen(0, '127.0.0.1', () => {
  const account = {
    type: 'service_account',
    client_email: email,
    private_key_id: 'key',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    token_uri: uri(),
  }
  console.log(JSON.stringify(account))
})
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
