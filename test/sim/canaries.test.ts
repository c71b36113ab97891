/** The simulator must be able to fail: each of these planted bugs breaks a promise, and the right one is named. */
import { expect, test } from 'vitest'
import { compareBallots } from '../../src/jobs/core/ballots.ts'
import { reduce } from '../../src/jobs/core/reduce.ts'
import { PromiseBroken } from './checks.ts'
import { calm, type Reduce, type SimOptions, stormy } from './options.ts'
import { simulate } from './simulate.ts'
import { simulateOrTell } from './tell.ts'

/** What the first broken promise among some seeds says; undefined when none breaks. */
function caught(bug: () => Reduce, change: Partial<SimOptions> = {}): string | undefined {
  for (let seed = 1; seed <= 150; seed++) {
    try {
      simulate({ ...stormy(seed), ...change, reduce: bug() })
    } catch (thrown) {
      if (thrown instanceof PromiseBroken) return thrown.message
      throw thrown
    }
  }
  return undefined
}

test('a peer that forgets the ballot it accepted is caught', () => {
  const bug = (): Reduce => (config, state, event) => {
    for (const job of state.jobs.values()) {
      const { counter, peer } = job.ballot
      if (event.type === 'message' && counter > 1 && !job.leader) job.ballot = { counter: counter - 1, peer }
    }
    return reduce(config, state, event)
  }
  expect(caught(bug)).toContain('no act under a superseded ballot')
})

test('a leader that never takes a lease back is caught', () => {
  const never = 1e12
  // Deaf to word of a peer that went down: an expired lease is then the only way to learn it.
  const bug = (): Reduce => (config, state, event) =>
    event.type === 'peer-down' && [...state.jobs.values()].some(job => job.leader)
      ? { state, effects: [] }
      : reduce({ ...config, leaseMs: never, speculateMs: never }, state, event)
  expect(caught(bug)).toContain('after healing every job ends')
})

test('a leader that counts a result twice is caught', () => {
  const bug = (): Reduce => (config, state, event) => {
    const { effects } = reduce(config, state, event)
    const twice = effects.filter(effect => effect.type === 'merge-shard' && effect.result.shard === 1)
    return { state, effects: [...effects, ...twice] }
  }
  expect(caught(bug)).toContain('merge-shard comes in shard order')
})

test('a leader that credits a result to the wrong shard is caught', () => {
  const bug = (): Reduce => {
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
  }
  expect(caught(bug)).toContain('the merge equals the serial run')
})

test('a peer that takes up an ended job again is caught', () => {
  const bug = (): Reduce => (config, state, event) => {
    for (const job of state.jobs.values()) {
      if (event.type === 'tick' && job.outcome && compareBallots(job.ballot, job.outcome.ballot) === 0)
        job.outcome = undefined
    }
    return reduce(config, state, event)
  }
  expect(caught(bug)).toContain('an ended job never runs again')
})

test('a failing seed is told with its number and a transcript', () => {
  const deaf: Reduce = (config, state, event) =>
    event.type === 'message' && event.message.type === 'results' ? { state, effects: [] } : reduce(config, state, event)
  expect(() => simulateOrTell({ ...calm(3, 3), reduce: deaf }, 'replay: so')).toThrow(
    /seed 3: after healing every job ends[\s\S]*grant[\s\S]*replay: so/,
  )
})
