/**
 * How soon orphaned work is leased again, in virtual time, against the worst cases that src/jobs/core/config.ts states; which
 * failures a job survives; and how jobs share the mesh.
 */
import { describe, expect, test } from 'vitest'
import { type Act, calm, type SimOptions } from './options.ts'
import { simulate, type Watcher } from './simulate.ts'

interface Fault {
  act: Act
  /** The shards whose leases were lost with the peer or the leader. */
  orphans: 'of the peer' | 'of the leader'
}

/** Milliseconds from the fault to the first lease of a shard that only the lost peer had. */
function recoveryMs(options: SimOptions, { act, orphans }: Fault): number {
  const leased = new Map<number, string>()
  let lost: string | undefined
  let firstMs = Number.POSITIVE_INFINITY
  const watcher: Watcher = (atMs, peer, _event, effects) => {
    for (const effect of effects) {
      if (effect.type !== 'send') continue
      if (effect.message.type === 'results') for (const { shard } of effect.message.results) leased.delete(shard)
      if (effect.message.type !== 'grant') continue
      if (atMs < act.atMs) lost = peer
      for (const shard of effect.message.shards) {
        // What the lost peer is leased anew has not found anybody yet.
        const orphaned =
          orphans === 'of the leader' ? peer !== lost : leased.get(shard) === names[1] && effect.to !== names[1]
        if (atMs > act.atMs && orphaned) firstMs = Math.min(firstMs, atMs)
        else leased.set(shard, effect.to)
      }
    }
  }
  simulate({ ...options, acts: [act] }, undefined, watcher)
  return firstMs - act.atMs
}

const names = ['ant', 'bee', 'cat', 'dog', 'elk', 'fox']
const atMs = 1500
const never = { min: 100_000, max: 100_000 }

/** Six peers with work for some six seconds, a message's way of up to 50 ms; none leads but the first. */
function busy(seed: number, change: Partial<SimOptions> = {}): SimOptions {
  const options = calm(seed, 6, { shards: 160, itemsPerShard: 10 }, { itemMs: 40 })
  return { ...options, delayMs: { min: 1, max: 50 }, config: { speculateMs: 1e9 }, ...change }
}

/** Over some seeds, the worst. */
function worstMs(faultOf: (options: SimOptions) => Fault, change: Partial<SimOptions> = {}): number {
  const all = Array.from({ length: 8 }, (_, n) => {
    const options = busy(n + 1, change)
    return recoveryMs(options, faultOf(options))
  })
  return Math.max(...all)
}

describe('orphaned work is leased again', { timeout: 120_000 }, () => {
  const worker = (forMs?: number): Fault => ({
    act:
      forMs === undefined
        ? { do: 'crash', atMs, peer: 1, backMs: 20_000, keeps: false }
        : { do: 'pause', atMs, peer: 1, forMs },
    orphans: 'of the peer',
  })
  const leader: Fault = { act: { do: 'crash-leader', atMs, backMs: 20_000, keeps: false }, orphans: 'of the leader' }

  test('within 1 s of a closed connection: of a worker', () => {
    expect(worstMs(() => worker())).toBeLessThan(1000)
  })

  test('within 1 s of a closed connection: of the leader', () => {
    expect(worstMs(() => leader)).toBeLessThan(1000)
  })

  test('within 3 s of a hang that membership notices: of a worker', () => {
    expect(worstMs(() => worker(20_000))).toBeLessThan(3000)
  })

  test('within 3 s of a hang that nobody notices but the leader, by the lease', () => {
    expect(worstMs(() => worker(20_000), { silentMs: never })).toBeLessThan(3000)
  })

  test('within 3 s of a leader that hangs, whether membership notices or not', () => {
    const hang = (options: SimOptions): Fault => ({
      act: { do: 'pause', atMs, peer: leaderOf(options), forMs: 20_000 },
      orphans: 'of the leader',
    })
    expect(worstMs(hang)).toBeLessThan(3000)
    expect(worstMs(hang, { silentMs: never })).toBeLessThan(3000)
  })
})

/** Who leads at the moment of the fault. */
function leaderOf(options: SimOptions): number {
  let leader = ''
  simulate(options, undefined, (at, peer, _event, effects) => {
    if (at < atMs && effects.some(effect => effect.type === 'send' && effect.message.type === 'grant')) leader = peer
  })
  return names.indexOf(leader)
}

test('a job survives the early death, for good, of its owner, its leader and half of its readers', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const options = calm(seed, 8, { shards: 40, readMs: 20 }, { itemMs: 40 })
    const deaths: Act[] = [
      { do: 'crash', atMs: 400, peer: 0, keeps: false },
      { do: 'crash-leader', atMs: 401, keeps: false },
      { do: 'crash', atMs: 402, peer: 1, keeps: false },
      { do: 'crash', atMs: 403, peer: 2, keeps: false },
    ]
    expect(simulate({ ...options, acts: deaths }).phases).toEqual(['final'])
  }
})

/** When each job was over at its owner. */
function endsMs(options: SimOptions): number[] {
  const ends: number[] = []
  const jobs: string[] = []
  simulate(options, undefined, (atMs, _peer, event, effects) => {
    if (event.type === 'submit') jobs.push(event.job)
    for (const effect of effects) if (effect.type === 'ended') ends[jobs.indexOf(effect.job)] ??= atMs
  })
  return ends
}

test('a job of higher priority goes first, whoever leads; jobs of one priority end about together', () => {
  const job = { ...calm(1, 1).jobs[0], shards: 120 }
  for (let seed = 1; seed <= 5; seed++) {
    const world = calm(seed, 4, {}, { itemMs: 20 })
    const [alone] = endsMs({ ...world, jobs: [job] })
    const [low, high] = endsMs({ ...world, jobs: [job, { ...job, owner: 1, atMs: 400, priority: 5 }] })
    expect(high).toBeLessThan(low)
    expect(high - 400).toBeLessThan(alone * 1.5)
    const [one, other] = endsMs({ ...world, jobs: [job, { ...job, owner: 1 }] })
    expect(Math.abs(one - other)).toBeLessThan(0.3 * Math.max(one, other))
  }
})
