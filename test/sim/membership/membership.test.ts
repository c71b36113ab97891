/** The promises of membership over many seeds, and bugs that must be found. `npm run sim -- --membership` looks further. */
import { expect, test } from 'vitest'
import { reduceMembership } from '../../../src/mesh/membership/membership.ts'
import type { MembershipEffect } from '../../../src/mesh/membership/membership-state.ts'
import { PromiseBroken } from './checks.ts'
import { type MembershipOptions, memberWorld, type ReduceMembership, slowMembers, stormyMembers } from './options.ts'
import { simulateMembership } from './simulate.ts'

const seeds = 200

/** As `simulateMembership`; a broken promise names its seed. */
function run(options: MembershipOptions) {
  try {
    return simulateMembership(options)
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown)
    throw new Error(`seed ${options.seed}: ${why}; replay: npm run sim -- --membership --seed ${options.seed}`, {
      cause: thrown,
    })
  }
}

test(`${seeds} seeds: all find together again, the dead are forgotten, the slow are not called dead`, {
  timeout: 300_000,
}, () => {
  const largest = { gossip: 0, stream: 0 }
  let downs = 0
  for (let seed = 1; seed <= seeds; seed++) {
    const result = run(memberWorld(seed))
    largest.gossip = Math.max(largest.gossip, result.largest.gossip)
    largest.stream = Math.max(largest.stream, result.largest.stream)
    downs += result.downs
  }
  // The storm must not have blown past membership; and a dozen peers are no reason for large messages.
  expect(downs).toBeGreaterThan(seeds)
  expect(largest.gossip).toBeLessThan(1_000)
  expect(largest.stream).toBeLessThan(20_000)
})

test('the same seed gives the same run', () => {
  const runs = [0, 1].map(() => {
    const transcript: string[] = []
    simulateMembership(stormyMembers(9), transcript)
    return transcript
  })
  expect(runs[0].length).toBeGreaterThan(50)
  expect(runs[0]).toEqual(runs[1])
})

test('forty peers that start together know each other in some seconds, within their degree', () => {
  const calm = { ...slowMembers(1), acts: [], healMs: 0, knownMs: 10_000 }
  const peers = Array.from({ length: 40 }, () => ({ bornMs: 0, lagMs: 0, clockRate: 1 }))
  const result = run({ ...calm, degreeMax: 12, peers, gossipLossRate: 0.05, packetLossRate: 0, onlySlow: false })
  expect(result.downs).toBe(0)
})

const without =
  (type: MembershipEffect['type']): ReduceMembership =>
  (config, state, event) => {
    const step = reduceMembership(config, state, event)
    return { ...step, effects: step.effects.filter(effect => effect.type !== type) }
  }

const crowd = (seed: number): MembershipOptions => ({ ...stormyMembers(seed, 20), degreeMax: 6 })

const canaries: Record<string, { bug: ReduceMembership; world: (seed: number) => MembershipOptions; promise: RegExp }> =
  {
    'a peer that dials but once': {
      bug: (config, state, event) => {
        const step = reduceMembership(config, state, event)
        const fresh = (peer: string) => !state.members.get(peer)?.announcement
        return { ...step, effects: step.effects.filter(effect => effect.type !== 'dial' || fresh(effect.peer)) }
      },
      world: stormyMembers,
      promise: /all that live know each other: m\d+ does not know/,
    },
    'a peer that never tires of the silent': {
      bug: (config, state, event) => {
        if (event.type === 'reported') return { state, effects: [] }
        const patient = new Map([...state.members].map(([peer, member]) => [peer, { ...member, heardMs: event.nowMs }]))
        return reduceMembership(config, { ...state, members: patient }, event)
      },
      world: stormyMembers,
      promise: /still hears the dead/,
    },
    'a peer without patience': {
      bug: (config, state, event) => reduceMembership({ ...config, silentMs: 700 }, state, event),
      world: slowMembers,
      promise: /a slow peer is not called dead/,
    },
    'a peer that lets go of nobody': {
      bug: without('part'),
      world: crowd,
      promise: /more connections than its degree/,
    },
  }

test.each(Object.entries(canaries))('%s is found', { timeout: 60_000 }, (_name, { bug, world, promise }) => {
  for (let seed = 1; seed <= 40; seed++) {
    try {
      simulateMembership({ ...world(seed), reduce: bug })
    } catch (thrown) {
      if (!(thrown instanceof PromiseBroken)) throw thrown
      expect(thrown.message).toMatch(promise)
      return
    }
  }
  expect.unreachable('no seed found it')
})
