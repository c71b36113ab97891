/** What peers tell each other of third ones: it makes acquaintance, and is worth less than anyone's own word. */
import { expect, test } from 'vitest'
import { createIdentity, peerKeyOf } from '../../../src/mesh/identity.ts'
import { acquaintancesOf, knownFor, toldOf } from '../../../src/mesh/membership/acquaintances.ts'
import { emptyMembership, reduceMembership } from '../../../src/mesh/membership/membership.ts'
import { judgeNews } from '../../../src/mesh/membership/membership-announced.ts'
import {
  decodeHello,
  decodeNews,
  encodeHello,
  encodeNews,
  newsProtocol,
  toldMax,
} from '../../../src/mesh/membership/messages.ts'
import { createNews } from '../../../src/mesh/membership/news.ts'
import { neighbour, Run, say } from './membership-run.ts'

const told = (peer: string, seq: number, ageMs: number, more = {}) => ({
  type: 'told' as const,
  by: 'n',
  peer,
  announcement: say(seq, more),
  ageMs,
})

test('who is told of is up at once, and passed on once, but not to the teller', () => {
  const run = new Run()
  expect(run.at(0, told('a', 3, 700))).toEqual([
    { type: 'up', peer: 'a' },
    { type: 'tell', peer: 'a', by: 'n' },
  ])
  expect(run.at(10, told('a', 4, 0))).toEqual([])
  // Another life is news again.
  expect(run.at(20, told('a', 0, 0, { boot: 2 }))).toEqual([{ type: 'tell', peer: 'a', by: 'n' }])
})

test('hearsay is as old as its teller says, and ends with nothing heard after it', () => {
  const run = new Run()
  run.at(0, told('a', 3, 3_000))
  const downs = run.until(6_000).filter(({ type }) => type === 'down')
  // Four beats of a second and one more, less the three seconds that it was old.
  expect(downs).toEqual([{ type: 'down', peer: 'a', ms: 2_000 }])
  expect(run.at(6_000, told('a', 3, 0))).toEqual([])
  expect(new Run().at(0, told('a', 3, 5_000))).toEqual([])
})

test('a peer’s own word stands above what others said of it, however new that looks', () => {
  const run = new Run()
  run.at(0, told('a', 9_999, 0, { boot: 9_999 }))
  expect(run.at(100, { type: 'announced', peer: 'a', announcement: say(5), direct: false })).toEqual([])
  expect(run.state.members.get('a')).toMatchObject({ hearsay: false, announcement: { boot: 1, seq: 5 } })
  expect(run.at(200, told('a', 9_999, 0, { boot: 9_999 }))).toEqual([])
  expect(run.state.members.get('a')?.announcement).toMatchObject({ boot: 1, seq: 5 })
  // Nor of a neighbour.
  neighbour(run, 'b')
  expect(run.at(300, told('b', 50, 0, { boot: 5 }))).toEqual([])
  expect(run.state.members.get('b')?.announcement?.boot).toBe(1)
})

test('one that was reported lost, or left, does not come back by what was heard before', () => {
  const run = new Run()
  run.at(0, { type: 'announced', peer: 'a', announcement: say(5), direct: false })
  run.at(1_000, { type: 'reported', peer: 'a', boot: 1, left: false })
  expect(run.at(2_000, told('a', 6, 1_000))).toEqual([])
  expect(run.at(2_000, told('a', 6, 400))).toEqual([{ type: 'up', peer: 'a' }])
  run.at(2_100, { type: 'reported', peer: 'a', boot: 1, left: true })
  expect(run.at(4_000, told('a', 7, 0))).toEqual([])
  expect(run.at(4_000, told('a', 0, 0, { boot: 2 }))).toContainEqual({ type: 'up', peer: 'a' })
})

test('two peers that know the same ones say the same of whom they know, and others do not', () => {
  const config = (self: string) => ({ ...new Run().config, self })
  const knowing = (self: string, peers: string[]) =>
    peers.reduce(
      (state, peer) => reduceMembership(config(self), state, { ...told(peer, 1, 0), nowMs: 0 }).state,
      emptyMembership(0),
    ).members
  expect(acquaintancesOf('x', 'y', knowing('x', ['y', 'a', 'b']))).toEqual(
    acquaintancesOf('y', 'x', knowing('y', ['b', 'a'])),
  )
  expect(acquaintancesOf('x', 'y', knowing('x', ['a']))).not.toEqual(acquaintancesOf('y', 'x', knowing('y', ['b'])))
  expect(knownFor('a', knowing('x', ['a', 'b', 'c']), 500).map(({ peer, ageMs }) => [peer, ageMs])).toEqual([
    ['b', 500],
    ['c', 500],
  ])
  expect(toldOf(undefined, 0)).toBeUndefined()
})

test('what is told travels whole, and no more than is allowed at once', () => {
  const peer = peerKeyOf(createIdentity())
  const one = { peer, announcement: say(1), ageMs: 12 }
  expect(decodeNews(encodeNews([one]))).toEqual([one])
  expect(decodeNews(encodeNews(Array.from({ length: toldMax + 1 }, () => one)))).toBeUndefined()
  expect(decodeNews(encodeNews([{ ...one, ageMs: -1 }]))).toBeUndefined()
  expect(decodeNews(encodeNews([{ ...one, peer: 'nobody' }]))).toBeUndefined()
  const hello = { announcement: say(1), acquaintances: { count: 2, hash: 0xffffffff }, known: [one] }
  expect(decodeHello(encodeHello(hello))).toEqual(hello)
  expect(decodeHello(encodeHello({ ...hello, acquaintances: { count: -1, hash: 0 } }))).toBeUndefined()
})

test('news goes to every neighbour but the newcomer and the teller, together, one message at a time', async () => {
  const [a, b, c] = Array.from({ length: 3 }, () => peerKeyOf(createIdentity()))
  const sent: { to: string; peers: string[] }[] = []
  let answer = () => {}
  const news = createNews({
    requests: {
      request: (to, protocol, body) => {
        expect(protocol).toBe(newsProtocol)
        sent.push({ to, peers: decodeNews(body)?.map(({ peer }) => peer) ?? [] })
        return new Promise(resolve => {
          answer = () => resolve(new Uint8Array())
        })
      },
    },
    neighbours: () => [a, b],
    told: peer => ({ peer, announcement: say(1), ageMs: 0 }),
  })
  const sentOf = async (count: number) => {
    while (sent.length < count) await new Promise(resolve => setTimeout(resolve, 5))
    return sent
  }
  news.tell(a)
  news.tell(c, a)
  expect(await sentOf(1)).toEqual([{ to: b, peers: [a, c] }])
  news.tell(c)
  // The first is not answered yet; another neighbour does not wait for it.
  expect((await sentOf(2))[1]).toEqual({ to: a, peers: [c] })
  news.stop()
  answer()
})

test('gossip is news, stale, long superseded, or contradicts what was said under the same number', () => {
  const run = new Run()
  const hear = (ms: number, seq: number, more = {}) =>
    run.at(ms, { type: 'announced', peer: 'a', announcement: say(seq, more), direct: false })
  const judged = (seq: number, more = {}) => judgeNews(run.state.members.get('a'), say(seq, more), run.now)
  expect(judged(1)).toBe('news')
  for (let seq = 1; seq <= 50; seq++) hear(seq * 1_000, seq)
  expect(judged(51)).toBe('news')
  expect([judged(50), judged(49), judged(1)]).toEqual(['stale', 'stale', 'stale'])
  expect(judged(50, { degree: 2 })).toBe('contradictory')
  for (let seq = 51; seq <= 200; seq++) hear(seq * 1_000, seq)
  // A minute and more behind.
  expect([judged(1), judged(100)]).toEqual(['replayed', 'replayed'])
  expect([judged(199), judged(145)]).toEqual(['stale', 'stale'])
  // Of an earlier life: on its way when the new one began, or not.
  hear(201_000, 0, { boot: 2 })
  expect(judged(201)).toBe('stale')
  hear(280_000, 80, { boot: 2 })
  expect(judged(201)).toBe('replayed')
})

test('a later life with a smaller number is believed: of itself at once, of others once it was gone for a while', () => {
  const direct = new Run()
  neighbour(direct, 'a', 0, { boot: 9 })
  direct.at(10, { type: 'disconnected', peer: 'a' })
  neighbour(direct, 'a', 20, { boot: 3 })
  expect(direct.state.members.get('a')?.announcement?.boot).toBe(3)

  const far = new Run()
  const hear = (ms: number, boot: number) =>
    far.at(ms, { type: 'announced', peer: 'a', announcement: say(1, { boot }), direct: false })
  hear(0, 9)
  far.at(1_000, { type: 'reported', peer: 'a', boot: 9, left: false })
  hear(2_000, 3)
  expect(far.state.members.get('a')?.up).toBe(false)
  expect(judgeNews(far.state.members.get('a'), say(1, { boot: 3 }), 2_000)).toBe('stale')
  hear(11_000, 3)
  expect(far.state.members.get('a')).toMatchObject({ up: true, announcement: { boot: 3 } })
  // Nor is its gossip anybody's replay; that of the life that was seen to end is.
  expect(judgeNews(far.state.members.get('a'), say(2, { boot: 3 }), 90_000)).toBe('news')
})

test('who is refused is down, not dialled and not heard, until its time is over; nobody is told', () => {
  const run = new Run()
  neighbour(run, 'a')
  expect(run.at(10, { type: 'refused', peer: 'a', untilMs: 60_010 })).toEqual([
    { type: 'down', peer: 'a' },
    { type: 'hang-up', peer: 'a' },
  ])
  expect(run.at(20, { type: 'disconnected', peer: 'a' })).toEqual([])
  expect(run.at(30, { type: 'connected', peer: 'a' })).toEqual([{ type: 'hang-up', peer: 'a' }])
  expect(run.at(40, { type: 'announced', peer: 'a', announcement: say(9), direct: false })).toEqual([])
  expect(run.at(50, told('a', 9, 0))).toEqual([])
  expect(run.at(60, { type: 'called', peer: 'a' })).toEqual([])
  expect(run.until(59_000)).toEqual([])
  expect(run.until(61_000)).toMatchObject([{ type: 'dial', peer: 'a' }])
  run.at(61_000, { type: 'announced', peer: 'a', announcement: say(70), direct: false })
  expect(run.state.members.get('a')?.up).toBe(true)
})
