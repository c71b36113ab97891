/**
 * Gradient descent over the mesh, in rounds: whatever dies in whichever round, every round's parameters and the result are a
 * serial run's to the bit (checked in every run by checks.ts), and shards stay where they are.
 */
import { expect, test } from 'vitest'
import { type Act, calm, type SimOptions } from './options.ts'
import { simulate, type Watcher } from './simulate.ts'
import { simulateOrTell } from './tell.ts'

const rounds = 10

/** Five peers, ten rounds of some 400 ms. */
function descent(seed: number, acts: Act[] = []): SimOptions {
  const options = calm(seed, 5, { shards: 20, rounds, manifests: 2 }, { itemMs: 20 })
  return { ...options, delayMs: { min: 1, max: 30 }, acts }
}

/** Rounds that were merged, by round, and who computed each shard in each. */
function watched(options: SimOptions) {
  const merges = new Map<number, number>()
  const homes: Map<number, string>[] = []
  const watcher: Watcher = (_atMs, peer, event) => {
    if (event.type === 'round-merged' || event.type === 'merged') {
      const round = event.type === 'merged' ? rounds - 1 : (event.round?.round ?? 0)
      merges.set(round, (merges.get(round) ?? 0) + 1)
    }
    if (event.type !== 'ran') return
    const round = event.round?.round ?? 0
    homes[round] ??= new Map()
    homes[round].set(event.result.shard, peer)
  }
  return { ...simulate(options, undefined, watcher), merges, homes }
}

test('every round is merged once, and its shards stay at the peers that have their inputs', () => {
  const { phases, merges, homes } = watched(descent(1))
  expect(phases).toEqual(['final'])
  expect([...merges]).toEqual(Array.from({ length: rounds }, (_, round) => [round, 1]))
  let moved = 0
  for (let round = 1; round < rounds; round++) {
    for (const [shard, peer] of homes[round]) if (homes[round - 1].get(shard) !== peer) moved++
  }
  expect(moved).toBeLessThan(0.1 * 20 * (rounds - 1))
})

test('a leader that dies in a middle round costs that round at most, not those before', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { phases, merges, ballots } = watched(
      descent(seed, [{ do: 'crash-leader', atMs: 1500 + 50 * seed, backMs: 3000, keeps: seed % 2 === 0 }]),
    )
    expect(phases).toEqual(['final'])
    expect(ballots).toBeGreaterThan(1)
    let again = 0
    for (const count of merges.values()) again += count - 1
    expect(again).toBeLessThanOrEqual(1)
  }
})

test.each<[string, (seed: number) => Act[]]>([
  [
    'a worker dies in a middle round',
    seed => [{ do: 'crash', atMs: 1500, peer: seed % 5, backMs: 2000, keeps: false }],
  ],
  [
    'three leaders die one after the other',
    () => [1000, 2200, 3600].map(atMs => ({ do: 'crash-leader', atMs, backMs: 4000, keeps: false })),
  ],
  ['all peers lose power and come back', () => [{ do: 'crash-all', atMs: 2000, backMs: 1000, keeps: true }]],
  [
    'the mesh splits, both halves compute on, and heals',
    () => [{ do: 'part', atMs: 1500, group: [0, 1], forMs: 4000 }],
  ],
])('%s', (_name, acts) => {
  for (let seed = 1; seed <= 10; seed++) expect(simulateOrTell(descent(seed, acts(seed))).phases).toEqual(['final'])
})
