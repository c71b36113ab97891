/** Every fault of the simulated world in one place. Times are virtual milliseconds; rates are probabilities. */

import { prng } from '../../src/base/prng.ts'
import type { State } from '../../src/jobs/core/state.ts'
import type { CoreConfig, Effect, Event } from '../../src/jobs/core/types.ts'

export type Reduce = (config: CoreConfig, state: State, event: Event) => { state: State; effects: Effect[] }

/** Something that is done to the world at a moment. */
export type Act = { atMs: number } & (
  | { do: 'crash'; peer: number; backMs: number }
  | { do: 'pause'; peer: number; forMs: number }
  /** Peers in `group` and the others cannot reach each other. */
  | { do: 'part'; group: number[]; forMs: number }
  | { do: 'cancel'; peer: number }
  /** Whoever leads at that moment. */
  | { do: 'crash-leader'; backMs: number }
)

export interface SimOptions {
  seed: number
  /** Lanes of each peer; the first peer submits. */
  slots: number[]
  /** Milliseconds for one item on one lane of each peer. */
  itemMs: number[]
  shards: number
  itemsPerShard: number
  /** Manifest blocks into which the shards are cut, and the pause of the owner's reader after each. */
  manifests: number
  readMs: number
  /** A message's way takes this long; its spread reorders messages. */
  delayMs: { min: number; max: number }
  gossipLossRate: number
  /** A stream message is not delivered, and the sender learns it. */
  streamLossRate: number
  /** A stream message is delivered, and the sender is told that it was not. */
  ackLossRate: number
  duplicateRate: number
  /** A shard's computation fails, retryably. */
  runFailRate: number
  /** A result block has vanished when it is merged. */
  blockLossRate: number
  acts: Act[]
  /** From then on the network is whole and nothing fails. */
  healMs: number
  /** The job must be over by then. */
  endMs: number
  config: Partial<CoreConfig>
  /** The reducer under test; a canary puts a broken one here. */
  reduce?: Reduce
}

/** A quiet world: no fault at all. */
export function calm(seed: number, peers: number): SimOptions {
  return {
    seed,
    slots: Array.from({ length: peers }, () => 2),
    itemMs: Array.from({ length: peers }, () => 10),
    shards: 24,
    itemsPerShard: 8,
    manifests: 3,
    readMs: 100,
    delayMs: { min: 2, max: 2 },
    gossipLossRate: 0,
    streamLossRate: 0,
    ackLossRate: 0,
    duplicateRate: 0,
    runFailRate: 0,
    blockLossRate: 0,
    acts: [],
    healMs: 0,
    endMs: 120_000,
    config: {},
  }
}

/** A world full of trouble, drawn from the seed. */
export function stormy(seed: number): SimOptions {
  const random = prng(seed)
  const peers = random.next() < 0.05 ? 1 : 2 + random.int(5)
  const between = (low: number, high: number) => low + random.int(high - low + 1)
  const rate = (max: number) => (random.next() < 0.3 ? 0 : random.next() * max)
  const acts: Act[] = []
  for (let n = random.int(7); n > 0; n--) {
    const atMs = between(0, 10_000)
    // The owner is spared more often than others: without it there is less left to promise.
    const peer = random.next() < 0.5 ? random.int(peers) : peers - 1 - random.int(Math.max(1, peers - 1))
    const kind = random.int(7)
    if (kind === 0) acts.push({ do: 'crash', atMs, peer, backMs: between(50, 15_000) })
    else if (kind === 1) acts.push({ do: 'pause', atMs, peer, forMs: between(500, 25_000) })
    else if (kind <= 3) {
      const group = Array.from({ length: peers }, (_, i) => i).filter(() => random.next() < 0.5)
      acts.push({ do: 'part', atMs, group, forMs: between(500, 15_000) })
    } else if (kind <= 5) acts.push({ do: 'crash-leader', atMs, backMs: between(50, 15_000) })
    else if (random.next() < 0.3) acts.push({ do: 'cancel', atMs, peer })
  }
  return {
    ...calm(seed, peers),
    slots: Array.from({ length: peers }, (_, i) => (i > 0 && random.next() < 0.15 ? 0 : between(1, 3))),
    itemMs: Array.from({ length: peers }, () => between(2, 150)),
    shards: random.pick([0, 1, 2, 7, 60, 90, 150, 150]),
    itemsPerShard: between(1, 16),
    manifests: between(1, 6),
    readMs: between(0, 1500),
    delayMs: { min: 1, max: between(2, 200) },
    gossipLossRate: rate(0.5),
    streamLossRate: rate(0.15),
    ackLossRate: rate(0.1),
    duplicateRate: rate(0.2),
    runFailRate: rate(0.04),
    blockLossRate: rate(0.05),
    acts,
    healMs: 30_000,
    endMs: 400_000,
  }
}
