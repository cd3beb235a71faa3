// An emulator of Google's Firestore on a free port of this machine, in memory. Prints its address when it listens, and ends
// with the one who started it, which holds its standard input.
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { FirestoreServer } from '@firestore-emulator/server'

const emulator = new FirestoreServer()
// Its own `start` listens on all addresses and does not tell the port.
Server.prototype.bindAsync.call(
  emulator.server,
  '127.0.0.1:0',
  ServerCredentials.createInsecure(),
  (error, port) => {
    if (error) {
      console.error(error.message)
      process.exit(1)
    }
    console.log(`127.0.0.1:${port}`)
  },
)
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
