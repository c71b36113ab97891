/** The account of who breaks the rules: pure, so that hours pass at once. */
import { expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import {
  type ConductConfig,
  type ConductEvent,
  type ConductState,
  isRefused,
  offencesOf,
  reduceConduct,
} from '../../../src/mesh/conduct/conduct.ts'
import { conductConfig } from '../../../src/mesh/conduct/judge.ts'
import type { Offence } from '../../../src/mesh/types.ts'

const kinds: Offence[] = ['malformed', 'oversized', 'bad-frame', 'forged', 'replayed', 'contradictory', 'damaged']

class Court {
  state: ConductState = new Map()
  readonly config: ConductConfig
  constructor(more: Partial<ConductConfig> = {}) {
    this.config = { ...conductConfig, ...more }
  }
  offend(nowMs: number, peer: string, offence: Offence, more: Partial<ConductEvent> = {}) {
    const before = structuredClone(this.state)
    const { state, refusal } = reduceConduct(this.config, this.state, {
      nowMs,
      peer,
      offence,
      otherRelease: false,
      ...more,
    })
    expect(this.state).toEqual(before)
    this.state = state
    return refusal
  }
  /** One offence after the other, until it is refused. */
  flood(fromMs: number, peer: string, offence: Offence, everyMs: number, most = 10_000) {
    for (let i = 0; i < most; i++) {
      const refusal = this.offend(fromMs + i * everyMs, peer, offence)
      if (refusal) return { ...refusal, after: i + 1, atMs: fromMs + i * everyMs }
    }
    return undefined
  }
}

test('whoever keeps offending is refused, whatever the offence, and nobody else', () => {
  for (const kind of kinds) {
    const court = new Court()
    court.offend(0, 'b', kind)
    const refusal = court.flood(0, 'a', kind, 100)
    expect(refusal?.after, kind).toBeGreaterThanOrEqual(5)
    expect(refusal?.after, kind).toBeLessThanOrEqual(60)
    expect(refusal?.forMs).toBe(60_000)
    const until = refusal?.untilMs ?? 0
    expect([isRefused(court.state, 'a', until - 1), isRefused(court.state, 'a', until)]).toEqual([true, false])
    expect(isRefused(court.state, 'b', 1)).toBe(false)
    expect(offencesOf(court.state, 'a')).toBe(refusal?.after)
  }
})

test('mishaps far apart are forgotten one by one', () => {
  for (const kind of kinds) expect(new Court().flood(0, 'a', kind, 60_000, 500), kind).toBeUndefined()
})

test('another release is forgiven what this one cannot read, unless it floods', () => {
  const court = new Court()
  for (let i = 0; i < 3_000; i++) {
    // Ten a second, for five minutes.
    expect(court.offend(i * 100, 'a', 'malformed', { otherRelease: true })).toBeUndefined()
  }
  let refused = false
  for (let i = 0; i < 5_000 && !refused; i++) {
    refused = court.offend(300_000 + i, 'a', 'malformed', { otherRelease: true }) !== undefined
  }
  expect(refused).toBe(true)
  expect(new Court().flood(0, 'a', 'bad-frame', 10)?.after).toBe(6)
})

test('each refusal is twice as long, up to ten minutes, and an hour of good conduct is a new beginning', () => {
  const court = new Court()
  const lasted: (number | undefined)[] = []
  let atMs = 0
  for (let i = 0; i < 6; i++) {
    const refusal = court.flood(atMs, 'a', 'forged', 10)
    lasted.push(refusal?.forMs)
    // Still on its way when it was refused.
    expect(court.offend((refusal?.untilMs ?? 0) - 1, 'a', 'forged')).toBeUndefined()
    atMs = refusal?.untilMs ?? 0
  }
  expect(lasted).toEqual([60_000, 120_000, 240_000, 480_000, 600_000, 600_000])
  expect(court.flood(atMs + 3_600_000, 'a', 'forged', 10)?.forMs).toBe(60_000)
})

test('the account is bounded, and who is refused stays refused', () => {
  const court = new Court({ peersMax: 4 })
  court.flood(0, 'worst', 'forged', 1)
  court.offend(100, 'bad', 'bad-frame')
  for (let i = 0; i < 50; i++) court.offend(200 + i, `peer${i}`, 'replayed')
  expect(court.state.size).toBe(4)
  expect(isRefused(court.state, 'worst', 1_000)).toBe(true)
  expect(offencesOf(court.state, 'bad')).toBe(1)
})

test('against a simple account: every offence is counted, and nobody is refused with a sum of weights below the limit', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = prng(seed)
    const court = new Court()
    const counts = new Map<string, number>()
    /** Undecayed and unforgiving: an upper bound of the score since the last refusal. */
    const sums = new Map<string, number>()
    const most = {
      malformed: 5,
      oversized: 20,
      'bad-frame': 20,
      forged: 10,
      replayed: 2,
      contradictory: 10,
      damaged: 5,
    }
    const refusedUntil = new Map<string, number>()
    let nowMs = 0
    for (let i = 0; i < 400; i++) {
      nowMs += random.int(4_000)
      const peer = random.pick(['a', 'b', 'c'])
      const kind = random.pick(kinds)
      const refusal = court.offend(nowMs, peer, kind, { otherRelease: random.next() < 0.3 })
      counts.set(peer, (counts.get(peer) ?? 0) + 1)
      const refusedBefore = nowMs < (refusedUntil.get(peer) ?? 0)
      if (!refusedBefore) sums.set(peer, (sums.get(peer) ?? 0) + most[kind])
      if (refusal) {
        expect(refusedBefore, `seed ${seed}`).toBe(false)
        expect(sums.get(peer), `seed ${seed}`).toBeGreaterThan(100)
        expect([60_000, 120_000, 240_000, 480_000, 600_000]).toContain(refusal.forMs)
        refusedUntil.set(peer, refusal.untilMs)
        sums.set(peer, 0)
      }
      for (const [each, count] of counts) {
        expect(offencesOf(court.state, each)).toBe(count)
        expect(isRefused(court.state, each, nowMs)).toBe(nowMs < (refusedUntil.get(each) ?? 0))
      }
    }
  }
})
