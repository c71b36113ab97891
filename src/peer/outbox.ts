/**
 * Acknowledged delivery of protocol messages: one queue a peer, one request in flight each, and what waits
 * meanwhile travels together. Order to one peer is kept. A message that does not get through is reported.
 */
import type { BlockId, PeerKey } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { StreamMessage } from '../jobs/core/types.ts'
import { encodeEnvelope } from '../jobs/wire/envelope.ts'
import type { Mesh } from '../mesh/types.ts'

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

  /** As many messages as fit into one request, with their blocks. */
  async function take(queue: StreamMessage[]) {
    const messages: StreamMessage[] = []
    const blocks = new Map<BlockId, Uint8Array>()
    let bytes = 0
    while (queue.length > 0 && messages.length < messagesMax && bytes < blockBytesMax) {
      const message = queue[0]
      const carried = message.type === 'results' ? message.results : []
      for (const result of carried) {
        const found = await block(result.block)
        if (!found || blocks.has(result.block)) continue
        if (bytes > 0 && bytes + found.byteLength > blockBytesMax) {
          bytes = Number.POSITIVE_INFINITY // the leader fetches what does not fit
          break
        }
        blocks.set(result.block, found)
        bytes += found.byteLength
      }
      messages.push(message)
      queue.shift()
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
      if (queue) return void queue.push(message)
      const fresh = [message]
      queues.set(to, fresh)
      queueMicrotask(() => void drain(to, fresh))
    },
  }
}
