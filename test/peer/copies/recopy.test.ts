/** Copies that went with a peer are made again, of inputs and of results, whoever is left to see to it. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { PeerError } from '../../../src/base/errors.ts'
import type { JobView } from '../../../src/jobs/core/types.ts'
import type { Absences } from '../../../src/peer/copies/absences.ts'
import type { HoldingOf } from '../../../src/peer/copies/holdings.ts'
import { createRecopy } from '../../../src/peer/copies/recopy.ts'
import type { Peer } from '../../../src/peer/peer.ts'
import { until } from '../../e2e/mesh-of-processes.ts'
import { end, rowsOf, type SomePeers, somePeers } from '../some-peers.ts'

const count = 150
const copyGraceMs = 400

describe('when a holder leaves for good', { timeout: 90_000 }, () => {
  let some: SomePeers
  beforeAll(async () => {
    some = await somePeers(count)
  })
  afterEach(() => some.stopAll())
  afterAll(() => some.end())

  const holder = (name: string) => some.start(name, { compute: false, copyGraceMs })
  const connected = (peer: Peer, others: number) =>
    until(
      async () => (await peer.peers()).filter(one => one.connected).length === others + 1,
      `${others} others are there`,
    )
  const hears = (peer: Peer, job: string) =>
    until(async () => (await peer.jobs()).some(one => one.job === job), 'it hears of the job')
  const keptBytes = async (peer: Peer, job: string) => (await peer.jobs()).find(one => one.job === job)?.keptBytes ?? 0

  test('its owner places the inputs with another peer, and that one has all of them', async () => {
    const owner = await holder('owner')
    const others = [await holder('a'), await holder('b')]
    await connected(owner, 2)
    const { job } = await owner.submit({ ...some.request, copies: 1 })
    await until(async () => (await owner.job(job)).copies?.placed === 1, 'one holds the inputs')
    const all = await keptBytes(owner, job)
    const kept = await Promise.all(others.map(peer => keptBytes(peer, job)))
    const [first, second] = kept[0] > kept[1] ? others : others.reverse()
    expect(await keptBytes(second, job)).toBeLessThan(0.5 * all)
    await some.stop(first)

    await until(async () => (await keptBytes(second, job)) >= 0.95 * all, 'the other one has every block')
    await until(async () => (await owner.job(job)).copies?.placed === 1, 'and its owner counts it')
    await some.stop(owner)
    const worker = await some.start('worker')
    await hears(worker, job)
    expect(await end(worker, job)).toMatchObject({ phase: 'final', itemsDone: count, errors: 0 })
    expect(await rowsOf(second, job)).toHaveLength(count)
  })

  test('without its owner the holder that is left has the inputs placed, and a restart forgets nothing', async () => {
    const owner = await holder('owner2')
    const others = [await holder('c'), await holder('d'), await holder('e')]
    await connected(owner, 3)
    const { job } = await owner.submit({ ...some.request, copies: 2 })
    await until(async () => (await owner.job(job)).copies?.placed === 2, 'two hold the inputs')
    const all = await keptBytes(owner, job)
    const kept = await Promise.all(others.map(peer => keptBytes(peer, job)))
    const spare = others[kept.indexOf(Math.min(...kept))]
    expect(await keptBytes(spare, job)).toBeLessThan(0.5 * all)
    const [first, second] = others.filter(peer => peer !== spare)
    const again = second.home.folder.split('/').at(-1) ?? ''
    await some.stop(owner, first, second)
    const back = await holder(again)
    await until(async () => (await keptBytes(spare, job)) >= 0.95 * all, 'the third has every block')
    // Of the two that hold everything the first by rank counts the copies.
    const counted = async (peer: Peer) => (await peer.job(job)).copies?.safe === true
    await until(async () => (await counted(back)) || (await counted(spare)), 'and one of the two counts it')
    await some.stop(back)
    const worker = await some.start('worker2')
    await hears(worker, job)
    expect(await end(worker, job)).toMatchObject({ phase: 'final', itemsDone: count, errors: 0 })
    expect(await rowsOf(spare, job)).toHaveLength(count)
  })

  test('a result moves on from peer to peer, to one that came after its job as well', async () => {
    const worker = await some.start('worker3', { copyGraceMs })
    const owner = await holder('owner3')
    const third = await holder('f')
    await connected(owner, 2)
    const { job } = await owner.submit(some.request)
    expect((await end(owner, job)).phase).toBe('final')
    const rows = await rowsOf(owner, job)
    expect(rows).toHaveLength(count)
    const pinned = async (peer: Peer) => {
      const { kept } = await peer.gc({ dryRun: true })
      return kept.bytes - kept.evictable
    }
    await until(async () => (await owner.job(job)).keptBytes < 50_000, 'its inputs are freed')
    // Spec and result; who holds no result has the spec at most.
    let size = 0
    await until(async () => {
      const before = size
      size = await pinned(owner)
      await new Promise(resolve => setTimeout(resolve, 300))
      return size > 3500 && size === before
    }, 'the owner has brought it home, all of it')
    await some.stop(worker)
    await until(async () => (await pinned(third)) === size, 'the third holds the result')
    const late = await holder('late')
    expect(await late.jobs()).toEqual([])
    await connected(late, 2)
    await some.stop(owner)
    await until(async () => (await pinned(late)) === size, 'the newcomer holds the result')
    await some.stop(third)
    expect(await rowsOf(late, job)).toEqual(rows)
    await some.stop(late)
    const same = await holder('late')
    expect(await rowsOf(same, job)).toEqual(rows)
    await some.stop(same)
  })
})

/** The engine alone, among peers that are but names; `holds[peer]` says of which jobs it holds what is asked about. */
function engine(init: { self: string; peers: string[]; holds: Record<string, string[]>; views: JobView[] }) {
  const state = { lapsed: ['gone'], pending: false, asked: 0, filling: 0, most: 0, refusing: new Set<string>() }
  const filled: string[] = []
  const fill = async (peer: string, job: string) => {
    state.most = Math.max(state.most, ++state.filling)
    await new Promise(resolve => setTimeout(resolve, 2))
    state.filling--
    if (state.refusing.has(peer)) throw new PeerError({ code: 'COPY_NO_ROOM', kind: 'resource', message: 'no room' })
    filled.push(`${job}>${peer}`)
    init.holds[peer] = [...(init.holds[peer] ?? []), job]
  }
  const absences: Absences = {
    awayMs: peer => (init.peers.includes(peer) || peer === init.self ? 0 : 1e9),
    pending: () => state.pending,
    lapsed: () => state.lapsed.splice(0),
    stop() {},
  }
  const ranked = (job: string, peers: readonly string[]) =>
    [...peers].sort((a, b) => (job.length % 2 ? 1 : -1) * (a < b ? -1 : 1))
  const holdsOf = (peer: string, { job }: HoldingOf) => init.holds[peer]?.includes(job) ?? false
  const recopy = createRecopy({
    self: init.self,
    copies: {
      ask: async () => {},
      pieces: () => [],
      candidates: job => ranked(job, init.peers),
      ranked,
      restore: async () => {},
    },
    holdings: {
      has: async of => holdsOf(init.self, of),
      inputs: job => (holdsOf(init.self, { job, kind: 'inputs' }) ? { wanted: 2, manifest: { count: 0 } } : undefined),
      wanted: () => 2,
      want() {},
      async ask(peer, of) {
        state.asked++
        return of.map(each => holdsOf(peer, each))
      },
      tell: async () => {},
      restore() {},
      end() {},
      forget() {},
    },
    spread: { inputs() {}, fillInputs: fill, fillResult: fill, of: () => undefined, end() {}, stop() {} },
    absences,
    connected: peer => init.peers.includes(peer),
    views: () => init.views,
    changed() {},
    graceMs: 40,
  })
  return { recopy, filled, state }
}

function viewOf(job: string, owner: string, ended: boolean): JobView {
  const outcome = { phase: 'final' as const, ballot: { counter: 1, peer: 'x' }, result: 'r' }
  return {
    job,
    owner,
    phase: ended ? 'final' : 'running',
    shardsDone: 0,
    shardsTotal: 1,
    itemsDone: 0,
    itemsTotal: 1,
    complete: true,
    round: 0,
    errors: 0,
    shares: [],
    outcome: ended ? outcome : undefined,
    sinceMs: 0,
  }
}

const rest = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

describe('who sees to the copies', () => {
  test('of the holders the first by rank alone, one copy at a time, until there are enough', async () => {
    const views = ['jobs', 'more', 'none'].map(job => viewOf(job, 'owner', job === 'more'))
    // Even lengths rank from the end: c, b, a.
    const holds = { a: ['jobs', 'more'], b: ['jobs', 'more'] }
    const lower = engine({ self: 'a', peers: ['b', 'c', 'd'], holds, views })
    await until(async () => lower.state.asked > 0, 'it asks')
    await rest(100)
    expect(lower.filled).toEqual([])
    lower.recopy.stop()
    const alone = engine({ self: 'b', peers: ['c', 'd'], holds: { b: ['jobs', 'more'] }, views })
    await until(async () => alone.filled.length === 2, 'both have their second copy')
    await rest(100)
    expect(alone.filled).toEqual(['jobs>d', 'more>d'])
    expect(alone.state.most).toBe(1)
    expect(alone.recopy.of('jobs')).toEqual({ wanted: 1, placed: 1 })
    expect(alone.recopy.of('none')).toBeUndefined()
    alone.recopy.stop()
  })

  test('inputs whose owner is here are its own; its result is, once it holds it', async () => {
    const views = [viewOf('jobs', 'owner', false), viewOf('more', 'owner', true)]
    const here = engine({ self: 'z', peers: ['owner', 'c'], holds: { z: ['jobs', 'more'], owner: ['more'] }, views })
    await until(async () => here.state.asked > 0, 'it asks')
    await rest(100)
    expect(here.filled).toEqual([])
    here.recopy.stop()
    // On its way to the owner counts as there: two others are wanted, itself one of them.
    const coming = engine({ self: 'z', peers: ['owner', 'c', 'd'], holds: { z: ['more'] }, views })
    await until(async () => coming.filled.length > 0, 'one more is made')
    await rest(100)
    expect(coming.filled).toEqual(['more>d'])
    coming.recopy.stop()
  })

  test('nothing is done while somebody may be back, nor before anybody is gone', async () => {
    const views = [viewOf('jobs', 'owner', true)]
    const waiting = engine({ self: 'b', peers: ['c'], holds: { b: ['jobs'] }, views })
    waiting.state.pending = true
    await rest(60)
    expect(waiting.filled).toEqual([])
    waiting.state.pending = false
    await until(async () => waiting.filled.length === 1, 'it is made')
    const asked = waiting.state.asked
    await rest(150)
    expect(waiting.state.asked).toBe(asked)
    waiting.recopy.stop()
  })

  test('a peer that refuses is passed over, and asked again when somebody comes', async () => {
    const views = [viewOf('jobs', 'owner', true)]
    const short = engine({ self: 'b', peers: ['c', 'd'], holds: { b: ['jobs'] }, views })
    short.state.refusing.add('d')
    await until(async () => short.filled.length === 1, 'it is made elsewhere')
    expect(short.filled).toEqual(['jobs>c'])
    short.recopy.stop()
    const none = engine({ self: 'b', peers: ['d'], holds: { b: ['jobs'] }, views })
    none.state.refusing.add('d')
    await until(async () => none.recopy.of('jobs') !== undefined, 'it was tried')
    expect(none.recopy.of('jobs')).toEqual({ wanted: 1, placed: 0 })
    none.state.refusing.clear()
    none.recopy.arrived()
    await until(async () => none.filled.length === 1, 'and tried again')
    none.recopy.stop()
  })
})
