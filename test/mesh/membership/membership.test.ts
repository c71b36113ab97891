/** The membership reducer: pure, so that hours of silence and backoff pass at once; and a small network of them. */
import { expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import type { MembershipEffect } from '../../../src/mesh/membership/membership-state.ts'
import { statusOf } from '../statuses.ts'
import { neighbour, Run, say } from './membership-run.ts'

test('a peer is up once it is connected and has said who it is, in either order', () => {
  const run = new Run()
  expect(run.at(0, { type: 'connected', peer: 'a' })).toEqual([{ type: 'greet', peer: 'a' }])
  expect(new Run().at(0, { type: 'connected', peer: 'a', accepted: true })).toEqual([])
  expect(run.at(1, { type: 'announced', peer: 'a', announcement: say(1), direct: true })).toEqual([
    { type: 'up', peer: 'a' },
    { type: 'tell', peer: 'a' },
  ])
  expect(run.at(2, { type: 'announced', peer: 'b', announcement: say(1), direct: true })).toEqual([
    { type: 'tell', peer: 'b' },
  ])
  run.at(3, { type: 'connected', peer: 'b' })
  expect(run.at(4, { type: 'heard', peer: 'b' })).toEqual([{ type: 'up', peer: 'b' }])
  expect(run.at(5, { type: 'disconnected', peer: 'a' })).toEqual([{ type: 'down', peer: 'a' }, lost('a')])
  expect(run.at(6, { type: 'disconnected', peer: 'a' })).toEqual([])
})

test('news is a changed status of a newer announcement; repeats and old ones are not', () => {
  const run = new Run()
  run.at(0, { type: 'connected', peer: 'a' })
  run.at(0, { type: 'announced', peer: 'a', announcement: say(5), direct: true })
  const busy = statusOf('fig', { load: 9 })
  expect(run.at(1, { type: 'announced', peer: 'a', announcement: say(6), direct: true })).toEqual([])
  expect(run.at(2, { type: 'announced', peer: 'a', announcement: say(4, { status: busy }), direct: true })).toEqual([])
  expect(
    run.at(3, { type: 'announced', peer: 'a', announcement: say(7, { status: busy }), direct: true }),
  ).toHaveLength(1)
  // A new life counts from nothing again.
  expect(run.at(4, { type: 'announced', peer: 'a', announcement: say(0, { boot: 2 }), direct: true })).toEqual([
    { type: 'up', peer: 'a' },
    { type: 'tell', peer: 'a' },
  ])
  expect(run.at(5, { type: 'announced', peer: 'a', announcement: say(99, { status: busy }), direct: true })).toEqual([])
})

const lost = (peer: string) => ({ type: 'report' as const, peer, boot: 1, left: false })

test('silence is asked about, makes down, is reported, then hangs up; one sign of life makes up', () => {
  const run = new Run()
  neighbour(run, 'a')
  const first = run.until(2_000)
  expect(first.filter(({ type }) => type === 'ping').map(({ ms }) => ms)).toEqual([500, 1_000, 1_500, 2_000])
  expect(first.filter(({ type }) => type !== 'ping')).toEqual([
    { type: 'down', peer: 'a', ms: 2_000 },
    { ...lost('a'), ms: 2_000 },
  ])
  expect(run.until(14_750).every(({ type }) => type === 'ping')).toBe(true)
  expect(run.at(14_800, { type: 'heard', peer: 'a' })).toEqual([{ type: 'up', peer: 'a' }])
  const types = run.until(30_000).flatMap(({ type }) => (type === 'ping' ? [] : [type]))
  expect(types.slice(0, 3)).toEqual(['down', 'report', 'hang-up'])
  // What gossip says of a hung neighbour is not that it answers.
  run.at(30_000, { type: 'announced', peer: 'a', announcement: say(50), direct: false })
  expect(run.state.members.get('a')?.up).toBe(false)
})

test('who stalls itself does not call the others silent', () => {
  const run = new Run()
  neighbour(run, 'a')
  run.until(1_000)
  const shown = (effects: MembershipEffect[]) => effects.flatMap(({ type }) => (type === 'ping' ? [] : [type]))
  expect(shown(run.at(60_000, { type: 'tick' }))).toEqual([])
  expect(shown(run.until(60_500))).toEqual([])
  expect(shown(run.until(63_000))).toEqual(['down', 'report'])
})

test('who is late itself gives the others longer to answer', () => {
  const run = new Run()
  neighbour(run, 'a')
  const downs: number[] = []
  // Ticks that come every second tell of a machine that has too much to do.
  for (let ms = 1_000; ms <= 8_000; ms += 1_000) {
    for (const effect of run.at(ms, { type: 'tick' })) if (effect.type === 'down') downs.push(ms)
  }
  // Half of each second is excused, and the limit is a second longer.
  expect(downs).toEqual([6_000])
})

test('after a sleep, a connection that is dead is given up at once', () => {
  const run = new Run()
  neighbour(run, 'a')
  neighbour(run, 'b')
  run.at(100, { type: 'woke' })
  run.until(600)
  run.at(600, { type: 'heard', peer: 'b' })
  const effects = run.until(2_300).filter(({ type }) => type !== 'ping')
  expect(effects.map(({ type, ...rest }) => [type, 'peer' in rest && rest.peer])).toEqual([
    ['down', 'a'],
    ['report', 'a'],
    ['hang-up', 'a'],
  ])
})

test('a broken connection is a failure, which is reported; one that was let go of is not', () => {
  const run = new Run()
  for (const peer of ['a', 'b', 'c']) neighbour(run, peer)
  expect(run.at(10, { type: 'disconnected', peer: 'a' })).toEqual([{ type: 'down', peer: 'a' }, lost('a')])
  run.at(10, { type: 'parted', peer: 'b' })
  expect(run.at(11, { type: 'disconnected', peer: 'b' })).toEqual([])
  expect(run.state.members.get('b')).toMatchObject({ up: true, far: true, connected: false })
  // Who says goodbye is down, and those far from it are told.
  expect(run.at(12, { type: 'left', peer: 'c' })).toEqual([
    { type: 'down', peer: 'c' },
    { type: 'report', peer: 'c', boot: 1, left: true },
  ])
  expect(run.at(13, { type: 'disconnected', peer: 'c' })).toEqual([])
})

test('a connection over which nothing was said breaks without loss', () => {
  const run = new Run()
  run.at(0, { type: 'announced', peer: 'a', announcement: say(1), direct: false })
  run.at(10, { type: 'connected', peer: 'a' })
  expect(run.at(20, { type: 'disconnected', peer: 'a' })).toEqual([])
  expect(run.state.members.get('a')).toMatchObject({ up: true, far: true })
  // What was said over an earlier connection does not count for the next.
  neighbour(run, 'b')
  run.at(30, { type: 'parted', peer: 'b' })
  run.at(31, { type: 'disconnected', peer: 'b' })
  run.at(40, { type: 'connected', peer: 'b' })
  expect(run.at(50, { type: 'disconnected', peer: 'b' })).toEqual([])
})

test('a far peer is up by its heartbeats, down by a report or after missing them, and up again by newer ones', () => {
  const run = new Run()
  const beat = (ms: number, seq: number) =>
    run.at(ms, { type: 'announced', peer: 'a', announcement: say(seq, { addresses: [] }), direct: false })
  expect(beat(0, 1)).toEqual([{ type: 'up', peer: 'a' }])
  expect(run.until(4_750)).toEqual([])
  expect(run.until(6_000)).toEqual([{ type: 'down', peer: 'a', ms: 5_000 }])
  expect(beat(6_000, 2)).toEqual([{ type: 'up', peer: 'a' }])
  expect(run.at(6_100, { type: 'reported', peer: 'a', boot: 1, left: false })).toEqual([{ type: 'down', peer: 'a' }])
  // Said before it ended, and still on its way; said again, and so no sign; said after.
  expect(beat(6_200, 3)).toEqual([])
  expect(beat(7_000, 3)).toEqual([])
  expect(beat(7_100, 4)).toEqual([{ type: 'up', peer: 'a' }])
  // A report of an earlier life says nothing of this one.
  run.at(7_200, { type: 'announced', peer: 'a', announcement: say(0, { boot: 2 }), direct: false })
  expect(run.at(7_300, { type: 'reported', peer: 'a', boot: 1, left: false })).toEqual([])
  expect(run.at(7_400, { type: 'reported', peer: 'a', boot: 2, left: true })).toEqual([{ type: 'down', peer: 'a' }])
  expect(run.at(8_400, { type: 'announced', peer: 'a', announcement: say(9, { boot: 2 }), direct: false })).toEqual([])
})

test('who has a connection knows better than a report; who is reported and lives says so', () => {
  const run = new Run()
  neighbour(run, 'a')
  expect(run.at(10, { type: 'reported', peer: 'a', boot: 1, left: false })).toEqual([])
  expect(run.at(20, { type: 'reported', peer: 'm', boot: 1, left: false })).toEqual([])
  expect(run.until(520)).not.toContainEqual(expect.objectContaining({ type: 'beat' }))
  expect(run.until(1_020)).toContainEqual(expect.objectContaining({ type: 'beat' }))
  expect(run.until(2_000)).not.toContainEqual(expect.objectContaining({ type: 'beat' }))
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
  neighbour(run, 'z')
  expect(run.at(1, { type: 'left', peer: 'z' })[0]).toEqual({ type: 'down', peer: 'z' })
  expect(run.at(2, { type: 'disconnected', peer: 'z' })).toEqual([])
  // Its last heartbeat comes round late.
  expect(run.at(3_000, { type: 'announced', peer: 'z', announcement: say(2), direct: false })).toEqual([])
  expect(run.until(5_000)).toEqual([])
  run.at(5_001, { type: 'announced', peer: 'z', announcement: say(0, { boot: 2 }), direct: false })
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
  run.at(0, { type: 'announced', peer: 'z', announcement: say(1), direct: true })
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

const named = ['n', 'o', 'p', 'q', 'r', 's', 't', 'u']
const addressesOf = (peer: string) => [`/dns4/${peer}/tcp/1`]

test('memory is bounded; oneself is nobody', () => {
  const run = new Run({ peersMax: 5 })
  for (const peer of ['m', ...named]) run.at(0, { type: 'found', peer, addresses: addressesOf(peer), seed: false })
  expect([...run.state.members.keys()]).toEqual(['n', 'o', 'p', 'q', 'r'])
  for (let i = 0; i < 50; i++) {
    run.at(10_000, { type: 'found', peer: 'n', addresses: [`/dns4/n${i}/tcp/1`], seed: false })
  }
  expect(run.state.members.get('n')?.addresses.length).toBe(16)
})

test('two thirds of the degree are sought, and no more, while the others are heard', () => {
  const run = new Run()
  for (const peer of named) {
    const addresses = addressesOf(peer)
    run.at(0, { type: 'announced', peer, announcement: say(1, { addresses }), direct: false })
  }
  const dialled: [string, number][] = []
  for (let ms = 250; ms <= 6_000; ms += 250) {
    for (const effect of run.at(ms, { type: 'tick' })) {
      if (effect.type !== 'dial') continue
      dialled.push([effect.peer, ms])
      neighbour(run, effect.peer, ms)
    }
    for (const peer of named) run.at(ms, { type: 'heard', peer })
  }
  // The first at once, up to a third of the degree soon, the others at leisure.
  expect(dialled.map(([, ms]) => ms)).toEqual([250, 1_250, 3_250, 5_250])
  // Each peer has an order of its own.
  const other = new Run({ self: 'a' })
  for (const peer of named) {
    const addresses = addressesOf(peer)
    other.at(0, { type: 'announced', peer, announcement: say(1, { addresses }), direct: false })
  }
  const first = other.until(500).flatMap(effect => (effect.type === 'dial' ? [effect.peer] : []))
  expect(first).not.toEqual(dialled.slice(0, 2).map(([peer]) => peer))
})

test('whom nobody hears is dialled by those with neighbours enough as well, a few at a time', () => {
  const run = new Run({ degreeMax: 3 })
  for (const peer of ['n', 'o']) neighbour(run, peer, 0, { addresses: addressesOf(peer) })
  for (const peer of ['p', 'q', 'r']) run.at(0, { type: 'found', peer, addresses: addressesOf(peer), seed: false })
  run.at(0, { type: 'announced', peer: 's', announcement: say(1, { addresses: addressesOf('s') }), direct: false })
  const dialled: [string, number][] = []
  for (let ms = 250; ms <= 6_000; ms += 250) {
    for (const peer of ['n', 'o']) run.at(ms, { type: 'heard', peer })
    const again = say(1 + ms, { addresses: addressesOf('s') })
    run.at(ms, { type: 'announced', peer: 's', announcement: again, direct: false })
    for (const effect of run.at(ms, { type: 'tick' })) if (effect.type === 'dial') dialled.push([effect.peer, ms])
  }
  expect(dialled).toEqual([
    ['p', 5_000],
    ['q', 5_000],
  ])
})

test('beyond the degree, idle neighbours that have others are let go of, those with the most first', () => {
  const run = new Run({ degreeMax: 3 })
  for (const [i, peer] of ['n', 'o', 'p', 'q', 'r'].entries()) neighbour(run, peer, 0, { degree: i })
  run.at(1_500, { type: 'used', peer: 'r' })
  const live = (ms: number) => {
    for (const peer of ['n', 'o', 'p', 'q', 'r']) run.at(ms, { type: 'heard', peer })
    return run.at(ms, { type: 'tick' }).flatMap(effect => (effect.type === 'part' ? [effect.peer] : []))
  }
  expect(live(1_900)).toEqual([])
  expect(live(2_100)).toEqual(['q', 'p'])
  // They go; one that could not be told stays, and is in use for the time being.
  for (const peer of ['p', 'q']) run.at(2_200, { type: 'disconnected', peer })
  expect([...run.state.members.values()].filter(member => member.up).length).toBe(5)
  expect(live(2_300)).toEqual([])
})

test('who is called dials the caller at once, and only when it is not connected', () => {
  const run = new Run()
  run.at(0, { type: 'announced', peer: 'a', announcement: say(1), direct: false })
  expect(run.at(1, { type: 'called', peer: 'a' })).toMatchObject([{ type: 'dial', peer: 'a' }])
  expect(run.at(2, { type: 'called', peer: 'a' })).toEqual([])
  neighbour(run, 'a', 3)
  expect(run.at(4, { type: 'called', peer: 'a' })).toEqual([])
  expect(run.at(4, { type: 'called', peer: 'stranger' })).toEqual([])
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
          { type: 'woke' as const },
          { type: 'used' as const, peer },
          { type: 'parted' as const, peer },
          { type: 'kept' as const, peer },
          { type: 'called' as const, peer },
          { type: 'reported' as const, peer: random.pick([peer, 'm']), boot: random.int(3), left: random.int(2) === 0 },
          { type: 'dial-failed' as const, peer },
          { type: 'found' as const, peer, addresses: ['/dns4/x/tcp/1'], seed: random.int(2) === 0 },
          {
            type: 'announced' as const,
            peer,
            announcement: say(random.int(50), { boot: random.int(3) }),
            direct: random.int(2) === 0,
          },
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
        if (member.up) expect((member.connected || member.far) && member.announcement !== undefined).toBe(true)
        expect(member.connected && member.far).toBe(false)
      }
    }
  }
})
