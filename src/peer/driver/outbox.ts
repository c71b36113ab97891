/**
 * Acknowledged delivery of protocol messages: one queue a peer, one request in flight each, and what waits
 * meanwhile travels together. Order to one peer is kept. A message that does not get through is reported.
 */
import type { BlockId, PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import type { StreamMessage } from '../../jobs/core/types.ts'
import { encodeEnvelope } from '../../jobs/wire/envelope.ts'
import type { Mesh } from '../../mesh/types.ts'
import { joined } from './joined-messages.ts'

export const jobProtocol = '/shardmesh/jobs/1'

export interface Outbox {
  send(to: PeerKey, message: StreamMessage): void
}

export interface OutboxDeps {
  mesh: Mesh
  /** A result block that travels with its message. */
  block: (id: BlockId) => Promise<Uint8Array | undefined>
  failed: (to: PeerKey, message: StreamMessage) => void
}

/** Half of what a request may carry: messages and block headers need room besides the blocks. */
const blockBytesMax = limits.messageBytesMax / 2
const messagesMax = 256
const timeoutMs = 10_000

export function createOutbox({ mesh, block, failed }: OutboxDeps): Outbox {
  const queues = new Map<PeerKey, StreamMessage[]>()

  /** The message's result blocks, as many as fit beside `bytes` of others; what it says of the rest waits for the next request. */
  async function carry(message: StreamMessage, blocks: Map<BlockId, Uint8Array>, bytes: number) {
    if (message.type !== 'results') return { message, bytes }
    for (const [at, { block: id }] of message.results.entries()) {
      if (blocks.has(id)) continue
      const found = await block(id)
      if (!found) continue
      if (bytes > 0 && bytes + found.byteLength > blockBytesMax) {
        const [now, later] = [message.results.slice(0, at), message.results.slice(at)]
        return {
          message: now.length > 0 ? { ...message, results: now } : undefined,
          bytes,
          later: { ...message, results: later },
        }
      }
      blocks.set(id, found)
      bytes += found.byteLength
    }
    return { message, bytes }
  }

  /** As many messages as fit into one request, with their blocks. */
  async function take(queue: StreamMessage[]) {
    const messages: StreamMessage[] = []
    const blocks = new Map<BlockId, Uint8Array>()
    let bytes = 0
    while (messages.length < messagesMax && bytes < blockBytesMax) {
      // Out of the queue first: what is said meanwhile may be joined to what waits there.
      const next = queue.shift()
      if (!next) break
      const carried = await carry(next, blocks, bytes)
      bytes = carried.bytes
      if (carried.message) messages.push(carried.message)
      if (carried.later) {
        queue.unshift(carried.later)
        break
      }
    }
    return { messages, blocks }
  }

  async function drain(to: PeerKey, queue: StreamMessage[]): Promise<void> {
    while (queue.length > 0) {
      const { messages, blocks } = await take(queue)
      try {
        await mesh.request(to, jobProtocol, encodeEnvelope(messages, blocks), { timeoutMs })
      } catch {
        for (const message of messages) failed(to, message)
      }
    }
    queues.delete(to)
  }

  return {
    send(to, message) {
      const queue = queues.get(to)
      if (queue) {
        const last = queue.at(-1)
        const both = last && joined(last, message)
        if (both) queue[queue.length - 1] = both
        else queue.push(message)
        return
      }
      const fresh = [message]
      queues.set(to, fresh)
      queueMicrotask(() => void drain(to, fresh))
    },
  }
}
