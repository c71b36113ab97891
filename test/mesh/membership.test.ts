/** The membership reducer: pure, so that hours of silence and backoff pass at once; and a small network of them. */
import { expect, test } from 'vitest'
import { prng } from '../../src/base/prng.ts'
import {
  emptyMembership,
  type MembershipConfig,
  type MembershipEffect,
  type MembershipEvent,
  type MembershipState,
  reduceMembership,
} from '../../src/mesh/membership.ts'
import type { Announcement } from '../../src/mesh/messages.ts'
import { statusOf } from './meshes.ts'

const config: MembershipConfig = {
  self: 'm',
  silentMs: 5_000,
  hangUpMs: 15_000,
  helloMs: 1_000,
  redialMinMs: 500,
  redialMaxMs: 30_000,
  staggerMs: 1_000,
  forgetMs: 600_000,
  forgetLeftMs: 60_000,
  degreeMax: 3,
  peersMax: 5,
}

function say(seq: number, more: Partial<Announcement> = {}): Announcement {
  return { boot: 1, seq, status: statusOf('fig'), addresses: ['/ip4/10.0.0.1/tcp/1'], ...more }
}

/** Feeds events to a reducer; `effects` are those of the last one. */
class Run {
  state: MembershipState = emptyMembership(0)
  now = 0
  readonly config: MembershipConfig
  constructor(more: Partial<MembershipConfig> = {}) {
    this.config = { ...config, ...more }
  }
  at(nowMs: number, event: MembershipEvent extends infer E ? (E extends unknown ? Omit<E, 'nowMs'> : never) : never) {
    this.now = nowMs
    const before = structuredClone(this.state)
    const { state, effects } = reduceMembership(this.config, this.state, { ...event, nowMs })
    // Pure: what was passed is as it was.
    expect(this.state).toEqual(before)
    this.state = state
    return effects
  }
  /** Ticks every 250 ms up to `endMs`; every effect with its time. */
  until(endMs: number): (MembershipEffect & { ms: number })[] {
    const all: (MembershipEffect & { ms: number })[] = []
    for (let ms = this.now + 250; ms <= endMs; ms += 250) {
      all.push(...this.at(ms, { type: 'tick' }).map(effect => ({ ...effect, ms })))
    }
    return all
  }
}

test('a peer is up once it is connected and has said who it is, in either order', () => {
  const run = new Run()
  expect(run.at(0, { type: 'connected', peer: 'a' })).toEqual([{ type: 'greet', peer: 'a' }])
  expect(run.at(1, { type: 'announced', peer: 'a', announcement: say(1) })).toEqual([{ type: 'up', peer: 'a' }])
  expect(run.at(2, { type: 'announced', peer: 'b', announcement: say(1) })).toEqual([])
  run.at(3, { type: 'connected', peer: 'b' })
  expect(run.at(4, { type: 'heard', peer: 'b' })).toEqual([{ type: 'up', peer: 'b' }])
  expect(run.at(5, { type: 'disconnected', peer: 'a' })).toEqual([{ type: 'down', peer: 'a' }])
  expect(run.at(6, { type: 'disconnected', peer: 'a' })).toEqual([])
})

test('news is a changed status of a newer announcement; repeats and old ones are not', () => {
  const run = new Run()
  run.at(0, { type: 'connected', peer: 'a' })
  run.at(0, { type: 'announced', peer: 'a', announcement: say(5) })
  const busy = statusOf('fig', { load: 9 })
  expect(run.at(1, { type: 'announced', peer: 'a', announcement: say(6) })).toEqual([])
  expect(run.at(2, { type: 'announced', peer: 'a', announcement: say(4, { status: busy }) })).toEqual([])
  expect(run.at(3, { type: 'announced', peer: 'a', announcement: say(7, { status: busy }) })).toHaveLength(1)
  // A new life counts from nothing again.
  expect(run.at(4, { type: 'announced', peer: 'a', announcement: say(0, { boot: 2 }) })).toHaveLength(1)
  expect(run.at(5, { type: 'announced', peer: 'a', announcement: say(99, { status: busy }) })).toEqual([])
})

test('silence makes down, then hangs up; one sign of life makes up', () => {
  const run = new Run()
  run.at(0, { type: 'connected', peer: 'a' })
  run.at(0, { type: 'announced', peer: 'a', announcement: say(1) })
  expect(run.until(4_750)).toEqual([])
  expect(run.until(14_750)).toEqual([{ type: 'down', peer: 'a', ms: 5_000 }])
  expect(run.at(14_800, { type: 'heard', peer: 'a' })).toEqual([{ type: 'up', peer: 'a' }])
  const effects = run.until(30_000)
  expect(effects.map(effect => effect.type).slice(0, 2)).toEqual(['down', 'hang-up'])
})

test('who stalls itself does not call the others silent', () => {
  const run = new Run()
  run.at(0, { type: 'connected', peer: 'a' })
  run.at(0, { type: 'announced', peer: 'a', announcement: say(1) })
  run.until(1_000)
  expect(run.at(60_000, { type: 'tick' })).toEqual([])
  expect(run.until(62_000)).toEqual([])
  expect(run.until(70_000).map(effect => effect.type)).toEqual(['down'])
})

test('a connected peer that said nothing is greeted again every second', () => {
  const run = new Run()
  run.at(0, { type: 'connected', peer: 'a' })
  expect(run.until(3_000).map(({ type, ms }) => [type, ms])).toEqual([
    ['greet', 1_000],
    ['greet', 2_000],
    ['greet', 3_000],
  ])
})

test('of two peers that hear of each other, one dials at once and the other a second later', () => {
  const run = new Run()
  const addresses = ['/ip4/10.0.0.1/tcp/1']
  run.at(0, { type: 'found', peer: 'z', addresses, seed: false })
  run.at(0, { type: 'found', peer: 'a', addresses, seed: false })
  expect(run.until(2_000)).toEqual([
    { type: 'dial', peer: 'z', addresses, ms: 250 },
    { type: 'dial', peer: 'a', addresses, ms: 1_000 },
  ])
})

test('redials come later and later, and end when the peer is forgotten; a token’s peer never is', () => {
  const run = new Run()
  run.at(0, { type: 'found', peer: 'a', addresses: ['/ip4/10.0.0.1/tcp/1'], seed: false })
  run.at(0, { type: 'found', peer: 'b', addresses: ['/ip4/10.0.0.2/tcp/1'], seed: true })
  const dials: Record<string, number[]> = { a: [], b: [] }
  for (let ms = 250; ms <= 1_200_000; ms += 250) {
    for (const effect of run.at(ms, { type: 'tick' })) {
      if (effect.type !== 'dial') continue
      dials[effect.peer].push(ms)
      run.at(ms, { type: 'dial-failed', peer: effect.peer })
    }
    if (ms > 2_000) ms += 2_250
  }
  const gaps = dials.b.slice(1).map((ms, i) => ms - dials.b[i])
  expect(gaps[0]).toBeGreaterThanOrEqual(500)
  expect(gaps[0]).toBeLessThanOrEqual(1_000)
  expect(Math.max(...gaps)).toBeLessThanOrEqual(30_000 * 1.25 + 2_500)
  expect(gaps.at(-1)).toBeGreaterThanOrEqual(30_000)
  expect(dials.b.at(-1)).toBeGreaterThan(1_100_000)
  expect(Math.max(...dials.a)).toBeLessThan(600_000)
  expect([...run.state.members.keys()]).toEqual(['b'])
})

test('who said goodbye is down at once and not dialled, until it lives again', () => {
  const run = new Run()
  run.at(0, { type: 'connected', peer: 'z' })
  run.at(0, { type: 'announced', peer: 'z', announcement: say(1) })
  expect(run.at(1, { type: 'left', peer: 'z' })).toEqual([{ type: 'down', peer: 'z' }])
  expect(run.at(2, { type: 'disconnected', peer: 'z' })).toEqual([])
  // Its last heartbeat comes round late.
  expect(run.at(3, { type: 'announced', peer: 'z', announcement: say(2) })).toEqual([])
  expect(run.until(5_000)).toEqual([])
  run.at(5_001, { type: 'announced', peer: 'z', announcement: say(0, { boot: 2 }) })
  expect(run.until(6_000).map(effect => effect.type)).toEqual(['dial'])
  run.at(6_001, { type: 'left', peer: 'z' })
  run.at(6_002, { type: 'dial-failed', peer: 'z' })
  run.until(70_000)
  expect(run.state.members.size).toBe(0)
})

test('an address that a peer came back under is tried first, and soon', () => {
  const run = new Run()
  const old = say(1).addresses
  run.at(0, { type: 'connected', peer: 'z' })
  run.at(0, { type: 'announced', peer: 'z', announcement: say(1) })
  // Others' word does not count while it is connected.
  run.at(1, { type: 'found', peer: 'z', addresses: ['/dns4/liar/tcp/1'], seed: false })
  expect(run.state.members.get('z')?.addresses).toEqual(old)
  run.at(2, { type: 'disconnected', peer: 'z' })
  for (const effect of run.until(20_000)) {
    if (effect.type === 'dial') run.at(run.now, { type: 'dial-failed', peer: 'z' })
  }
  run.at(20_001, { type: 'dial-failed', peer: 'z' })
  const addresses = ['/ip4/10.0.0.1/tcp/2']
  run.at(20_002, { type: 'found', peer: 'z', addresses, seed: false })
  expect(run.until(20_500)).toEqual([{ type: 'dial', peer: 'z', addresses: [...addresses, ...old], ms: 20_252 }])
})

test('memory and degree are bounded; oneself is nobody', () => {
  const run = new Run()
  for (const peer of ['m', 'n', 'o', 'p', 'q', 'r', 's', 't']) {
    run.at(0, { type: 'found', peer, addresses: [`/dns4/${peer}/tcp/1`], seed: false })
  }
  expect([...run.state.members.keys()]).toEqual(['n', 'o', 'p', 'q', 'r'])
  expect(run.until(10_000).map(effect => effect.peer)).toEqual(['n', 'o', 'p'])
  for (let i = 0; i < 50; i++) {
    run.at(10_000, { type: 'found', peer: 'n', addresses: [`/dns4/n${i}/tcp/1`], seed: false })
  }
  expect(run.state.members.get('n')?.addresses.length).toBe(16)
})

test('whatever happens in whatever order, up and down alternate and agree with the state', () => {
  for (let seed = 0; seed < 40; seed++) {
    const random = prng(seed)
    const run = new Run()
    const up = new Map<string, boolean>()
    let now = 0
    for (let i = 0; i < 200; i++) {
      now += random.int(3_000)
      const peer = random.pick(['a', 'b', 'z'])
      const effects = run.at(
        now,
        random.pick([
          { type: 'tick' as const },
          { type: 'connected' as const, peer },
          { type: 'disconnected' as const, peer },
          { type: 'heard' as const, peer },
          { type: 'left' as const, peer },
          { type: 'dial-failed' as const, peer },
          { type: 'found' as const, peer, addresses: ['/dns4/x/tcp/1'], seed: random.int(2) === 0 },
          { type: 'announced' as const, peer, announcement: say(random.int(50), { boot: random.int(3) }) },
        ]),
      )
      for (const effect of effects) {
        if (effect.type === 'up') up.set(effect.peer, true)
        if (effect.type === 'down') {
          expect(up.get(effect.peer), `seed ${seed}, event ${i}`).toBe(true)
          up.set(effect.peer, false)
        }
      }
      for (const member of run.state.members.values()) {
        expect(member.up, `seed ${seed}, event ${i}`).toBe(up.get(member.peer) ?? false)
        if (member.up) expect(member.connected && member.announcement !== undefined).toBe(true)
      }
    }
  }
})
