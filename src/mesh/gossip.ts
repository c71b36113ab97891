/**
 * Gossip: small signed hints, best effort. What is larger than a hint is refused on the way out and dropped on
 * the way in; a message without a signature never gets here, nor does one of a peer that is refused.
 */
import { TopicValidatorResult } from '@chainsafe/libp2p-gossipsub'
import { PeerError } from '../base/errors.ts'
import type { PeerKey } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { forgeriesKept, forgeriesOf } from './conduct/forgeries.ts'
import type { Judge } from './conduct/judge.ts'
import type { Node } from './node.ts'
import type { GossipHandler } from './types.ts'

export interface Gossip {
  publish(topic: string, bytes: Uint8Array): Promise<void>
  subscribe(topic: string, handler: GossipHandler): void
  /**
   * As `subscribe`, for a handler that also says whether the message is to be passed on; `through` is the neighbour that
   * brought it, which need not be `from`, who signed it.
   */
  weigh(topic: string, handler: (from: PeerKey, bytes: Uint8Array, through: PeerKey) => boolean): void
  stop(): void
}

export interface GossipDeps {
  node: Node
  judge: Pick<Judge, 'offended' | 'isRefused'>
  warn: (message: string) => void
}

/** As often as gossipsub lets the counts fade. */
const forgeriesEveryMs = 1_000
/** Of what was forged within one look, so many count: each is as good as the others. */
const forgeriesMax = 10

export function createGossip({ node, judge, warn }: GossipDeps): Gossip {
  const { pubsub } = node.services
  const handlers = new Map<string, GossipHandler[]>()
  let forged = new Map<PeerKey, number>()

  pubsub.addEventListener('message', ({ detail: message }) => {
    if (message.type !== 'signed') return
    const from = message.from.toString()
    if (!isFit(from, message.data)) return
    for (const handler of handlers.get(message.topic) ?? []) {
      try {
        handler(from, message.data)
      } catch (thrown) {
        warn(`a handler of ${message.topic} failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
      }
    }
  })

  function isFit(from: PeerKey, bytes: Uint8Array): boolean {
    if (judge.isRefused(from)) return false
    if (bytes.byteLength <= limits.gossipBytesMax) return true
    judge.offended(from, 'oversized')
    return false
  }

  const timer = setInterval(() => {
    const before = forged
    forged = forgeriesOf(node)
    for (const [peer, count] of forged) {
      const fresh = Math.min(forgeriesMax, Math.ceil(count - forgeriesKept * (before.get(peer) ?? 0)))
      for (let i = 0; i < fresh; i++) judge.offended(peer, 'forged')
    }
  }, forgeriesEveryMs)
  timer.unref()

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
    weigh(topic, handler) {
      pubsub.topicValidators.set(topic, (through, message) => {
        if (message.type !== 'signed') return TopicValidatorResult.Ignore
        const from = message.from.toString()
        const passOn = isFit(from, message.data) && handler(from, message.data, through.toString())
        // Never `Reject`: whether its bringer is to blame is not for gossipsub to decide.
        return passOn ? TopicValidatorResult.Accept : TopicValidatorResult.Ignore
      })
      pubsub.subscribe(topic)
    },
    stop() {
      clearInterval(timer)
    },
  }
}
