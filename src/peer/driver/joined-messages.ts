/**
 * Joins consecutive results, and consecutive acknowledgements, to the same peer into one message. Without it each small shard pays
 * for a message of its own, on the way and in every step at both ends.
 */
import { limits } from '../../base/limits.ts'
import { compareBallots } from '../../jobs/core/ballots.ts'
import { roundOf, sameRound } from '../../jobs/core/rounds.ts'
import type { Effect, StreamMessage } from '../../jobs/core/types.ts'

/** Both in one; undefined where they have to stay two. */
export function joined(first: StreamMessage, second: StreamMessage): StreamMessage | undefined {
  if (first.type === 'results' && second.type === 'results') {
    if (!together(first, second) || first.results.length + second.results.length > limits.messageShardsMax) return
    return { ...first, results: [...first.results, ...second.results] }
  }
  if (first.type === 'results-ack' && second.type === 'results-ack') {
    if (!together(first, second) || first.shards.length + second.shards.length > limits.messageShardsMax) return
    return { ...first, shards: [...first.shards, ...second.shards] }
  }
  return undefined
}

type Numbered = StreamMessage & { type: 'results' | 'results-ack' }

function together(a: Numbered, b: Numbered): boolean {
  return a.job === b.job && compareBallots(a.ballot, b.ballot) === 0 && sameRound(roundOf(a), roundOf(b))
}

/** The effects with each message joined to the one before to the same peer, where that can be. Order to a peer is kept. */
export function joinSends(effects: readonly Effect[]): Effect[] {
  const lastTo = new Map<string, number>()
  const out: Effect[] = []
  for (const effect of effects) {
    if (effect.type !== 'send') {
      out.push(effect)
      continue
    }
    const at = lastTo.get(effect.to)
    const last = at === undefined ? undefined : out[at]
    const message = last?.type === 'send' ? joined(last.message, effect.message) : undefined
    if (at !== undefined && message) out[at] = { ...effect, message }
    else {
      lastTo.set(effect.to, out.length)
      out.push(effect)
    }
  }
  return out
}
