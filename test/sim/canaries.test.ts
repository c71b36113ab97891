/**
 * The simulator must be able to fail: each of these planted bugs breaks a promise, the right one is named, and it takes no
 * more than the stated number of seeds to find it. The bugs live in a wrapper around the reducer, never in the reducer.
 */
import { expect, test } from 'vitest'
import { compareBallots } from '../../src/jobs/core/ballots.ts'
import { reduce } from '../../src/jobs/core/reduce.ts'
import { PromiseBroken } from './checks.ts'
import { type Act, calm, type Reduce, type SimOptions, stormy, stormySplit } from './options.ts'
import { simulate } from './simulate.ts'
import { simulateOrTell } from './tell.ts'

interface Canary {
  bug: () => Reduce
  promise: string
  /** Seeds in which it is found; some room above what it took. */
  within: number
  /** The worlds in which it is looked for; default `stormy`. */
  worlds?: (seed: number) => SimOptions
  /** More of the trouble in which it shows, for so many peers. */
  trouble?: (peers: number) => Act[]
}

/** What the first broken promise says; undefined when none breaks. */
function caught({ bug, within, trouble, worlds = stormy }: Canary): string | undefined {
  for (let seed = 1; seed <= within; seed++) {
    const world = worlds(seed)
    const acts = [...world.acts, ...(trouble?.(world.peers.length) ?? [])]
    try {
      simulate({ ...world, acts, reduce: bug() })
    } catch (thrown) {
      if (thrown instanceof PromiseBroken) return thrown.message
      throw thrown
    }
  }
  return undefined
}

const never = 1e12

const canaries: Record<string, Canary> = {
  'a peer that forgets the ballot it accepted': {
    bug: () => (config, state, event) => {
      for (const job of state.jobs.values()) {
        const { counter, peer } = job.ballot
        if (event.type === 'message' && counter > 1 && !job.leader) job.ballot = { counter: counter - 1, peer }
      }
      return reduce(config, state, event)
    },
    promise: 'no act under a superseded ballot',
    within: 20,
  },
  'a peer that speaks before it stores': {
    bug: () => (config, state, event) => {
      const { effects } = reduce(config, state, event)
      const stores = effects.filter(effect => effect.type === 'keep')
      return { state, effects: [...effects.filter(effect => effect.type !== 'keep'), ...stores] }
    },
    promise: 'no act under a superseded ballot',
    within: 60,
    trouble: peers =>
      [1, 2, 3, 4, 5, 6].map(n => ({
        do: 'crash',
        atMs: 500 * n,
        peer: n % peers,
        backMs: 300,
        keeps: true,
        midway: n % 3,
      })),
  },
  'a leader that never takes a lease back': {
    // Deaf to word of a peer that went down: an expired lease is then the only way to learn it.
    bug: () => (config, state, event) =>
      event.type === 'peer-down' && [...state.jobs.values()].some(job => job.leader)
        ? { state, effects: [] }
        : reduce({ ...config, leaseMs: never, speculateMs: never }, state, event),
    promise: 'after healing every job ends',
    within: 100,
  },
  'a leader that hands a shard to the merge twice': {
    bug: () => (config, state, event) => {
      const { effects } = reduce(config, state, event)
      const twice = effects.filter(effect => effect.type === 'merge-shard' && effect.result.shard === 1)
      return { state, effects: [...effects, ...twice] }
    },
    promise: 'merge-shard comes in shard order',
    within: 20,
  },
  'a leader that credits a result to the wrong shard': {
    bug: () => {
      let first: string | undefined
      return (config, state, event) => {
        if (event.type === 'message' && event.message.type === 'results') {
          for (const result of event.message.results) {
            first ??= result.block
            if (result.shard % 7 === 3) result.block = first
          }
        }
        return reduce(config, state, event)
      }
    },
    promise: 'the merge equals the serial run',
    within: 20,
  },
  'a leader that takes a late partial for one of the present round': {
    bug: () => (config, state, event) => {
      if (event.type === 'message' && event.message.type === 'results') {
        const round = state.jobs.get(event.message.job)?.round
        if (round && round.round > 0) event.message.round = round
      }
      return reduce(config, state, event)
    },
    promise: 'the merge equals the serial run',
    within: 200,
  },
  'a disk on which the partials of the round before stay': {
    bug: () => (config, state, event) => {
      const { effects } = reduce(config, state, event)
      return { state, effects: effects.filter(effect => effect.type !== 'forget-results') }
    },
    promise: 'the merge equals the serial run',
    within: 200,
  },
  'a peer that takes up an ended job again': {
    bug: () => (config, state, event) => {
      for (const job of state.jobs.values()) {
        if (event.type === 'tick' && job.outcome && compareBallots(job.ballot, job.outcome.ballot) === 0)
          job.outcome = undefined
      }
      return reduce(config, state, event)
    },
    promise: 'an ended job never runs again',
    within: 20,
  },
  'a peer whose time stands still while its clock is behind': {
    bug: () => {
      const newest = new Map<string, number>()
      return (config, state, event) => {
        const nowMs = Math.max(newest.get(config.self) ?? 0, event.nowMs)
        newest.set(config.self, nowMs)
        return reduce(config, state, { ...event, nowMs })
      }
    },
    // Neither its leases nor its talk of ended jobs come due.
    promise: 'who meets learns what ended',
    within: 20,
    trouble: peers => Array.from({ length: peers }, (_, peer) => ({ do: 'clock', atMs: 1500, peer, byMs: -1e9 })),
  },
  'peers that tell each other nothing of ended jobs': {
    bug: () => (config, state, event) => {
      const { effects } = reduce(config, state, event)
      return { state, effects: effects.filter(effect => effect.type !== 'send-ends') }
    },
    promise: 'for all',
    within: 40,
    worlds: stormySplit,
  },
  'a machine whose trouble is taken for the job’s': {
    bug: () => (config, state, event) =>
      reduce(config, state, event.type === 'run-failed' ? { ...event, unfit: false, retryable: false } : event),
    promise: 'the job ends final',
    within: 20,
    worlds: stormySplit,
  },
}

test.each(Object.entries(canaries))('%s is caught', { timeout: 120_000 }, (_name, canary) => {
  expect(caught(canary)).toContain(canary.promise)
})

test('a failing seed is told with its number, a transcript and how to replay it', () => {
  const deaf: Reduce = (config, state, event) =>
    event.type === 'message' && event.message.type === 'results' ? { state, effects: [] } : reduce(config, state, event)
  expect(() => simulateOrTell({ ...calm(3, 3), reduce: deaf }, 'replay: so')).toThrow(
    /seed 3: after healing every job ends[\s\S]*grant[\s\S]*replay: so/,
  )
})
