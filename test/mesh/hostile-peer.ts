/**
 * A peer that was admitted and sends what it likes: it holds the mesh's secret, and the transport, requests and gossip are its own
 * to abuse. Ended after each test.
 */
import { RPC } from '@chainsafe/libp2p-gossipsub/message'
import { peerIdFromString } from '@libp2p/peer-id'
import { afterEach } from 'vitest'
import { asMultiaddrs } from '../../src/mesh/addresses.ts'
import { createIdentity, peerKeyOf } from '../../src/mesh/identity.ts'
import { createNode, type Node, startNode } from '../../src/mesh/node.ts'
import { createRequests } from '../../src/mesh/requests/requests.ts'
import { streamPipe } from '../../src/mesh/stream-pipe.ts'

const streamProtocol = '/shardmesh/requests/1'
const nodes: Node[] = []
afterEach(async () => {
  await Promise.all(nodes.splice(0).map(node => node.stop()))
})

export interface Hostile {
  key: string
  node: Node
  /** One request; the code of the error that answers it. */
  ask(to: string, protocol: string, body: Uint8Array): Promise<string>
  /** Raw bytes on a stream of the request protocol. */
  write(to: string, bytes: Uint8Array): Promise<void>
  /** A gossip message under another's name, or with a signature that is none. */
  forge(to: string, from: string, topic: string, data: Uint8Array): Promise<void>
  isConnected(to: string): boolean
}

/** Connected to whoever listens at `addresses`. */
export async function hostile(secret: Uint8Array, addresses: string[]): Promise<Hostile> {
  const identity = createIdentity()
  const listen = ['/ip4/127.0.0.1/tcp/0']
  const quiet = { refused() {} }
  const node = await createNode({ identity, secret, listen, ...quiet })
  nodes.push(node)
  const open = async (peer: string) => {
    const [connection] = node.getConnections(peerIdFromString(peer))
    return streamPipe(await connection.newStream(streamProtocol))
  }
  const requests = createRequests({ self: peerKeyOf(identity), open, heard() {}, offended() {} })
  await node.handle(streamProtocol, (stream, connection) =>
    requests.accept(connection.remotePeer.toString(), streamPipe(stream)),
  )
  await startNode(node, listen)
  await node.dial(asMultiaddrs(addresses))
  return {
    key: peerKeyOf(identity),
    node,
    async ask(to, protocol, body) {
      try {
        await requests.request(to, protocol, body, { timeoutMs: 2_000 })
        return 'answered'
      } catch (thrown) {
        return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : String(thrown)
      }
    },
    async write(to, bytes) {
      const pipe = await open(to)
      pipe.attach({ data() {}, drained() {}, closed() {} })
      pipe.write([bytes])
      await new Promise(resolve => setTimeout(resolve, 10))
    },
    async forge(to, from, topic, data) {
      const [connection] = node.getConnections(peerIdFromString(to))
      const stream = await connection.newStream('/meshsub/1.1.0')
      const author = peerIdFromString(from).toMultihash().bytes
      const message = { from: author, data, topic, seqno: crypto.getRandomValues(new Uint8Array(8)), signature: data }
      const bytes = RPC.encode({ subscriptions: [], messages: [message] })
      stream.send(new Uint8Array([(bytes.byteLength & 0x7f) | 0x80, bytes.byteLength >> 7]))
      stream.send(bytes)
      await new Promise(resolve => setTimeout(resolve, 20))
      // A connection has 64 of them at most, and it takes more forgeries where they fall between two looks.
      await stream.close().catch(() => {})
    },
    isConnected: to => node.getConnections(peerIdFromString(to)).length > 0,
  }
}

/** A header of the request protocol with a type or a length that no release writes. */
export function header(type: number, length: number): Uint8Array {
  const bytes = new Uint8Array(9)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, type)
  view.setUint32(1, 1)
  view.setUint32(5, length)
  return bytes
}

/** A request frame that announces a body of so many bytes. */
export function request(length: number): Uint8Array {
  const bytes = new Uint8Array(9 + 7)
  bytes.set(header(1, 7))
  new DataView(bytes.buffer).setUint32(9, length)
  bytes[13] = 2
  return bytes
}

/** Does `evil` again and again until `victim` has dropped the hostile one. */
export async function untilDropped(victim: string, enemy: Hostile, evil: () => Promise<unknown>): Promise<void> {
  while (enemy.isConnected(victim)) {
    await evil().catch(() => {})
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}
