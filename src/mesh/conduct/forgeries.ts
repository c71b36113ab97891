/**
 * Gossip whose signature is not its author's, by the neighbour that brought it. Gossipsub drops it unseen and counts it in the
 * statistics behind its scores. They are not part of its public interface: this file parses them defensively and treats missing
 * statistics as no forgeries.
 */
import { z } from 'zod'
import type { PeerKey } from '../../base/ids.ts'
import type { Node } from '../node.ts'

const statistics = z.record(
  z.string(),
  z.object({ topics: z.record(z.string(), z.object({ invalidMessageDeliveries: z.number() })) }),
)

/** Of a count, what is left of it a second later. */
export const forgeriesKept = 0.3

/** Forged messages of each neighbour lately; the counts fade by the second. */
export function forgeriesOf(node: Node): Map<PeerKey, number> {
  const { pubsub } = node.services
  if (!('dumpPeerScoreStats' in pubsub) || typeof pubsub.dumpPeerScoreStats !== 'function') return new Map()
  const counted = statistics.safeParse(pubsub.dumpPeerScoreStats())
  const forged = new Map<PeerKey, number>()
  for (const [peer, { topics }] of Object.entries(counted.data ?? {})) {
    const count = Object.values(topics).reduce((sum, topic) => sum + topic.invalidMessageDeliveries, 0)
    if (count > 0) forged.set(peer, count)
  }
  return forged
}
