// An emulator of Google Cloud Storage on a free port of this machine, in memory: fake-gcs-server, whose program is the
// argument, with a bucket `trellis`. Prints its address when it listens, and ends with the one who started it, which holds
// its standard input.
//
// fake-gcs-server knows the XML interface, by which the relay writes, only to read and to delete. Here the rest of that
// is translated to the JSON interface, which it knows: to write an object, if need be only where its generation is a certain
// one; to write it in parts; to list. So what is stored, and whether a condition holds, is fake-gcs-server's word; how these
// requests and answers look in XML is written here from Google's description of them, and nobody here asks for
// credentials.
import { spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { createServer as createSocket } from 'node:net'

const BUCKET = 'trellis'
// Google refuses smaller parts but for the last one.
const PART_BYTES_MIN = 5 << 20

const port = await new Promise((found, failed) => {
  const socket = createSocket().once('error', failed)
  socket.listen(0, '127.0.0.1', () => {
    const { port } = socket.address()
    socket.close(() => found(port))
  })
})
const host = `127.0.0.1:${port}`
const storage = `http://${host}`
const flags = ['-scheme', 'http', '-host', '127.0.0.1', '-port', `${port}`, '-backend', 'memory', '-public-host', host]
const server = spawn(process.argv[2], flags, { stdio: 'ignore' })
const end = (code) => {
  server.kill()
  process.exit(code)
}
server.on('error', () => end(1)).on('exit', () => process.exit(1))
process.stdin.resume().on('end', () => end(0)).on('error', () => end(0))
process.on('SIGTERM', () => end(0))

const json = { 'content-type': 'application/json' }
for (let left = 100; ; left--) {
  const body = JSON.stringify({ name: BUCKET })
  const made = await fetch(`${storage}/storage/v1/b?project=test`, { method: 'POST', headers: json, body }).catch(() => {})
  if (made?.ok) break
  if (!left) end(1)
  await new Promise((later) => setTimeout(later, 100))
}

const uploads = new Map()
const answers = createServer(async (request, response) => {
  try {
    const answer = await ask(request)
    response.writeHead(answer.status, answer.headers ?? {})
    response.end(answer.body)
  } catch (error) {
    response.writeHead(500).end(`${error}`)
  }
})
answers.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${answers.address().port}`))

async function ask(request) {
  const url = new URL(request.url, storage)
  const [bucket, ...rest] = url.pathname.slice(1).split('/')
  const name = decodeURIComponent(rest.join('/'))
  const query = url.searchParams
  const pieces = []
  for await (const piece of request) pieces.push(piece)
  const body = Buffer.concat(pieces)
  const { method, headers } = request
  if (name === '' && method === 'GET') return list(bucket, query)
  if (method === 'POST' && query.has('uploads')) return begin(bucket, name, headers['content-type'])
  const upload = uploads.get(query.get('uploadId'))
  if (query.has('uploadId') && upload?.name !== name) return { status: 404, body: error('NoSuchUpload') }
  if (upload && method === 'PUT') return part(upload, Number(query.get('partNumber')), body)
  if (upload && method === 'POST') return complete(query.get('uploadId'), upload, body.toString())
  if (upload && method === 'DELETE') return { status: uploads.delete(query.get('uploadId')) ? 204 : 404 }
  if (method === 'PUT') return write(bucket, name, body, headers)
  return pass(request)
}

// Reading and deleting, as it is.
async function pass({ method, url, headers: { range } }) {
  const answer = await fetch(storage + url, { method, headers: range ? { range } : {} })
  const headers = Object.fromEntries(answer.headers)
  const body = Buffer.from(await answer.arrayBuffer())
  return { status: answer.status, headers, body: method === 'HEAD' ? undefined : body }
}

async function write(bucket, name, body, headers) {
  const query = new URLSearchParams({ uploadType: 'media', name })
  const generation = headers['x-goog-if-generation-match']
  if (generation !== undefined) query.set('ifGenerationMatch', generation)
  const to = `${storage}/upload/storage/v1/b/${bucket}/o?${query}`
  const type = { 'content-type': headers['content-type'] ?? 'application/octet-stream' }
  const answer = await fetch(to, { method: 'POST', headers: type, body })
  const told = await answer.json()
  if (!answer.ok) return { status: answer.status, body: error(told.error?.message) }
  return { status: 200, headers: { etag: `"${told.etag}"`, 'x-goog-generation': told.generation } }
}

function begin(bucket, name, type) {
  const id = randomUUID()
  uploads.set(id, { bucket, name, type, parts: new Map() })
  const body = `<UploadId>${id}</UploadId>`
  return xml('InitiateMultipartUploadResult', `<Bucket>${bucket}</Bucket><Key>${escape(name)}</Key>${body}`)
}

function part(upload, number, body) {
  const etag = `"${createHash('md5').update(body).digest('hex')}"`
  upload.parts.set(number, { body, etag })
  return { status: 200, headers: { etag } }
}

async function complete(id, upload, order) {
  const named = [...order.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part]) => ({
    part: upload.parts.get(Number(/<PartNumber>(\d+)</.exec(part)?.[1])),
    etag: /<ETag>(.*?)<\/ETag>/.exec(part)?.[1],
  }))
  const isKnown = ({ part, etag }) => part && part.etag === etag?.replaceAll('&quot;', '"')
  if (!named.length || !named.every(isKnown)) return { status: 400, body: error('InvalidPart') }
  const isLong = ({ part }) => part.body.length >= PART_BYTES_MIN
  if (!named.slice(0, -1).every(isLong)) return { status: 400, body: error('EntityTooSmall') }
  const whole = Buffer.concat(named.map(({ part }) => part.body))
  const written = await write(upload.bucket, upload.name, whole, { 'content-type': upload.type })
  if (written.status !== 200) return written
  uploads.delete(id)
  const etag = `<ETag>${escape(written.headers.etag)}</ETag>`
  return { ...xml('CompleteMultipartUploadResult', `<Key>${escape(upload.name)}</Key>${etag}`), headers: written.headers }
}

async function list(bucket, query) {
  const asked = new URLSearchParams({ maxResults: query.get('max-keys') ?? 1000 })
  for (const [xml, json] of [['prefix', 'prefix'], ['delimiter', 'delimiter'], ['continuation-token', 'pageToken'], ['start-after', 'startOffset']]) {
    if (query.has(xml)) asked.set(json, query.get(xml))
  }
  const answer = await fetch(`${storage}/storage/v1/b/${bucket}/o?${asked}`)
  if (!answer.ok) return { status: answer.status, body: error('NoSuchBucket') }
  const { items = [], prefixes = [], nextPageToken } = await answer.json()
  // The one begins with what the other leaves out.
  const wanted = items.filter(({ name }) => name !== query.get('start-after'))
  const objects = wanted.map(
    ({ name, size, updated, etag }) =>
      `<Contents><Key>${escape(name)}</Key><Size>${size}</Size><LastModified>${updated}</LastModified><ETag>"${etag}"</ETag></Contents>`,
  )
  const folders = prefixes.map((prefix) => `<CommonPrefixes><Prefix>${escape(prefix)}</Prefix></CommonPrefixes>`)
  const more = nextPageToken ? `<NextContinuationToken>${escape(nextPageToken)}</NextContinuationToken>` : ''
  return xml('ListBucketResult', `<IsTruncated>${!!nextPageToken}</IsTruncated>${more}${objects.join('')}${folders.join('')}`)
}

function xml(name, inside) {
  return { status: 200, headers: { 'content-type': 'application/xml' }, body: `<?xml version="1.0" encoding="UTF-8"?><${name}>${inside}</${name}>` }
}

function error(code) {
  return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${escape(`${code}`)}</Code></Error>`
}

function escape(text) {
  return text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c])
}
