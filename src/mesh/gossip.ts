/**
 * Gossip: small signed hints, best effort. What is larger than a hint is refused on the way out and dropped on
 * the way in; a message without a signature never gets here.
 */
import { PeerError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Node } from './node.ts'
import type { GossipHandler } from './types.ts'

export interface Gossip {
  publish(topic: string, bytes: Uint8Array): Promise<void>
  subscribe(topic: string, handler: GossipHandler): void
}

export function createGossip(node: Node, warn: (message: string) => void): Gossip {
  const { pubsub } = node.services
  const handlers = new Map<string, GossipHandler[]>()

  pubsub.addEventListener('message', ({ detail: message }) => {
    if (message.type !== 'signed' || message.data.byteLength > limits.gossipBytesMax) return
    const from = message.from.toString()
    for (const handler of handlers.get(message.topic) ?? []) {
      try {
        handler(from, message.data)
      } catch (thrown) {
        warn(`a handler of ${message.topic} failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
      }
    }
  })

  return {
    async publish(topic, bytes) {
      if (bytes.byteLength > limits.gossipBytesMax) {
        throw new PeerError({
          code: 'GOSSIP_TOO_LARGE',
          kind: 'protocol',
          message: `a gossip message has ${bytes.byteLength} bytes, at most ${limits.gossipBytesMax} may be sent: request it over a stream`,
          details: { expected: limits.gossipBytesMax, got: bytes.byteLength },
        })
      }
      try {
        await pubsub.publish(topic, bytes)
      } catch (cause) {
        throw new PeerError({
          code: 'GOSSIP_FAILED',
          kind: 'transport',
          message: `nothing was gossiped on ${topic}: ${cause instanceof Error ? cause.message : String(cause)}`,
          retry: 'later',
          cause,
        })
      }
    },
    subscribe(topic, handler) {
      const known = handlers.get(topic)
      if (known) {
        known.push(handler)
        return
      }
      handlers.set(topic, [handler])
      pubsub.subscribe(topic)
    },
  }
}
