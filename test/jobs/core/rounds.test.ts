/** Rounds at one peer: what a leader, a follower and a successor do with parameters. */
import { describe, expect, test } from 'vitest'
import { limits } from '../../../src/base/limits.ts'
import type { Effect, RoundHead, StreamMessage } from '../../../src/jobs/core/types.ts'
import { corePeer, digest, granted, head, id, job, leading, only, result, results, sent } from './harness.ts'

const ballot = { counter: 1, peer: 'me' }
const round = (number: number, text = 'parameters'): RoundHead => ({ round: number, params: id(`${text} ${number}`) })
function inRound(message: StreamMessage, of: RoundHead): StreamMessage {
  if (message.type !== 'results' && message.type !== 'grant') throw new Error(`${message.type} is in no round here`)
  return { ...message, round: of }
}

/** Every shard of the round is computed by `a`, merged, and the next round's parameters are there. */
function finish(peer: ReturnType<typeof corePeer>, shards: number, of?: RoundHead): Effect[] {
  const all = Array.from({ length: shards }, (_, shard) => result(shard, `round ${of?.round ?? 0}`))
  const said = results(ballot, ...all)
  const effects = peer.hear('a', of ? inRound(said, of) : said)
  expect(only(effects, 'merge-end')).toHaveLength(1)
  const next = round((of?.round ?? 0) + 1)
  effects.push(...peer.feed({ type: 'round-merged', job, ballot, round: of, params: next.params ?? '' }))
  return effects
}

describe('a leader', () => {
  test('leases every shard again under the next parameters, to whom it was before, and stores the round first', () => {
    const peer = leading('me', 'own', 4)
    peer.up('a', 2)
    peer.up('b', 2)
    const mine = [result(0), result(1), result(2)]
    peer.hear('a', results(ballot, ...mine))
    peer.hear('b', results(ballot, result(3)))
    const effects = peer.feed({ type: 'round-merged', job, ballot, params: id('parameters 1') })
    expect(effects.slice(0, 2)).toMatchObject([{ type: 'forget-results' }, { type: 'keep', kept: { round: round(1) } }])
    expect(granted(effects)).toEqual({ a: [0, 1, 2].slice(0, granted(effects).a.length), b: [3] })
    for (const { message } of sent(effects, 'grant')) expect(message.round).toEqual(round(1))
    expect(peer.view()).toMatchObject({ round: 1, shardsDone: 0, itemsDone: 0 })
  })

  test('leaves half of what one peer computed before to whoever has nothing to do', () => {
    const peer = leading('me', 'own', 40)
    // As fast as it takes to be given all of them at once.
    peer.up('a', 1, 1e6)
    const alone = granted(finish(peer, 40))
    expect(alone.a).toHaveLength(40)
    peer.up('b', 1, 1e4)
    const effects = finish(peer, 40, round(1))
    const { a, b } = granted(effects)
    expect(a.length).toBeLessThanOrEqual(20)
    // Those that the other reaches last.
    expect(b).toEqual([39])
    expect(a).not.toContain(39)
  })

  test('merges a round from its first shard, and ends the job when the driver says it is done', () => {
    const peer = leading('me', 'own', 2)
    peer.up('a', 2)
    finish(peer, 2)
    const effects = finish(peer, 2, round(1))
    expect(only(effects, 'merge-shard').map(one => [one.round?.round, one.result.shard])).toEqual([
      [1, 0],
      [1, 1],
    ])
    peer.hear('a', inRound(results(ballot, result(0), result(1)), round(2)))
    expect(only(peer.feed({ type: 'merged', job, ballot, result: id('model') }), 'ended')).toHaveLength(1)
  })

  test('thanks for results of a round that is over and does not count them; stops who works on one', () => {
    const peer = leading('me', 'own', 2)
    peer.up('a', 2)
    finish(peer, 2)
    const late = peer.hear('a', results(ballot, result(0, 'late')))
    expect(sent(late, 'results-ack')[0].message).toMatchObject({ shards: [0] })
    expect(sent(late, 'results-ack')[0].message.round).toBeUndefined()
    expect(peer.view()?.shardsDone).toBe(0)
    const renewed = peer.hear('a', { type: 'renew', job, ballot, shards: [1] })
    expect(sent(renewed, 'revoke')).toMatchObject([{ to: 'a', message: { shards: [1] } }])
    expect(peer.job().leader?.leases.size).toBeGreaterThan(0)
    const stale = peer.hear('a', { type: 'shard-failed', job, ballot, shard: 1, reason: 'x', retryable: false })
    expect(only(stale, 'ended')).toEqual([])
  })

  test('ignores a merge of another round, and does not go on for ever', () => {
    const peer = leading('me', 'own', 1)
    peer.up('a', 1)
    finish(peer, 1)
    expect(peer.feed({ type: 'round-merged', job, ballot, params: id('again') })).toEqual([])
    const last = round(limits.roundsMax)
    peer.job().round = last
    peer.hear('a', inRound(results(ballot, result(0)), last))
    const over = peer.feed({ type: 'round-merged', job, ballot, round: last, params: id('more') })
    expect(only(over, 'ended')[0].outcome).toMatchObject({ phase: 'failed' })
  })
})

describe('a follower', () => {
  const lead = { counter: 1, peer: 'lead' }
  const grant = (of: RoundHead | undefined, ...shards: number[]): StreamMessage => {
    const message: StreamMessage = { type: 'grant', job, ballot: lead, shards, leaseMs: 1000, manifest: head(1) }
    return of ? inRound(message, of) : message
  }
  function follower() {
    const peer = corePeer('me', { leaderSilenceMs: 1e9 })
    for (const name of ['lead', 'own']) peer.up(name)
    peer.hear('lead', grant(undefined, 0, 1))
    peer.spec('own')
    peer.manifest(0, 4)
    return peer
  }

  test('computes nothing of a round before it has the parameters, and then what it was granted', () => {
    const peer = follower()
    const effects = peer.hear('lead', grant(round(1), 0, 1))
    expect(only(effects, 'abandon').map(one => one.shard)).toEqual([0, 1])
    expect(only(effects, 'run')).toEqual([])
    expect(only(effects, 'fetch-params')).toMatchObject([{ round: round(1), from: 'lead' }])
    const ready = peer.feed({ type: 'params', job, round: round(1) })
    expect(ready[0]).toMatchObject({ type: 'forget-results' })
    expect(only(ready, 'run').map(one => [one.shard, one.round])).toEqual([
      [0, round(1)],
      [1, round(1)],
    ])
  })

  test('drops what it computed under other parameters, and a grant of an earlier round', () => {
    const peer = follower()
    peer.hear('lead', grant(round(2), 0))
    peer.feed({ type: 'params', job, round: round(2) })
    const late = peer.feed({ type: 'ran', job, result: result(0), items: 1, elapsedMs: 1 })
    expect(sent(late, 'results')).toEqual([])
    expect(only(peer.hear('lead', grant(round(1), 1)), 'run')).toEqual([])
    const ran = peer.feed({ type: 'ran', job, result: result(0), items: 1, elapsedMs: 1, round: round(2) })
    expect(sent(ran, 'results')).toMatchObject([{ message: { round: round(2) } }])
  })

  test('gives back what waits for parameters that nobody has', () => {
    const peer = follower()
    const effects = peer.hear('lead', grant(round(1), 0))
    for (let n = 0; n < 12; n++) {
      peer.hear('lead', digest(lead, 'own', { round: round(1) }))
      effects.push(...peer.feed({ type: 'params-failed', job, round: round(1) }), ...peer.wait(9000, 1000))
    }
    expect(sent(effects, 'shard-failed')[0].message.reason).toContain('parameters')
  })

  test('tells a new leader of the newest round whose parameters it holds', () => {
    const peer = follower()
    peer.hear('lead', grant(round(1), 0))
    peer.feed({ type: 'params', job, round: round(1) })
    peer.hear('lead', grant(round(2), 0))
    const claim = {
      type: 'claim',
      job,
      ballot: { counter: 2, peer: 'new' },
      manifest: head(1),
      complete: true,
    } as const
    const [inventory] = sent(peer.hear('new', claim), 'inventory')
    expect(inventory.message).toMatchObject({ round: round(1), working: [], results: [] })
  })
})

describe('a successor', () => {
  /** `me` followed `lead` into `known` and claims; `a` is there to answer. */
  function successor(known: RoundHead, here: boolean) {
    const peer = corePeer('me')
    for (const name of ['own', 'lead', 'a']) peer.up(name)
    const lead = { counter: 1, peer: 'lead' }
    peer.hear('lead', digest(lead, 'own'))
    peer.spec('own')
    peer.manifest(0, 2)
    peer.hear('lead', { type: 'grant', job, ballot: lead, shards: [0], leaseMs: 1, manifest: head(1), round: round(1) })
    peer.feed({ type: 'params', job, round: round(1) })
    if (known.round > 1) {
      peer.hear('lead', { type: 'grant', job, ballot: lead, shards: [0], leaseMs: 1, manifest: head(1), round: known })
      if (here) peer.feed({ type: 'params', job, round: known })
    }
    peer.down('own')
    const effects = [...peer.down('lead'), ...peer.wait(500)]
    expect(sent(effects, 'claim')).toMatchObject([{ to: 'a' }])
    return { peer, ballot: peer.job().ballot, effects }
  }
  const inventory = (of: { counter: number; peer: string }, at: RoundHead, ...shards: number[]): StreamMessage => ({
    type: 'inventory',
    job,
    ballot: of,
    results: shards.map(shard => result(shard, `round ${at.round}`)),
    working: [],
    manifest: head(1),
    complete: true,
    round: at,
  })

  test('goes on in its round with what others computed in it', () => {
    const { peer, ballot: mine } = successor(round(1), true)
    peer.hear('a', inventory(mine, round(1), 0, 1))
    expect(peer.view()).toMatchObject({ round: 1, shardsDone: 2 })
  })

  test('takes up a later round once it has its parameters, asks again, and goes on from there', () => {
    const { peer, ballot: mine } = successor(round(1), true)
    const heard = peer.hear('a', inventory(mine, round(3), 1))
    expect(only(heard, 'fetch-params')).toMatchObject([{ round: round(3), from: 'a' }])
    const jumped = peer.feed({ type: 'params', job, round: round(3) })
    expect(sent(jumped, 'claim')).toMatchObject([{ to: 'a', message: { ballot: mine } }])
    peer.hear('a', inventory(mine, round(3), 1))
    expect(peer.view()).toMatchObject({ round: 3, shardsDone: 1 })
  })

  test('stays where it is when nobody has the later parameters after all', () => {
    const { peer, ballot: mine } = successor(round(1), true)
    peer.hear('a', inventory(mine, round(3), 1))
    const stayed = [...peer.feed({ type: 'params-failed', job, round: round(3) }), ...peer.wait(200)]
    expect(sent(stayed, 'grant')[0].message.round).toEqual(round(1))
  })

  test('goes back one round when the parameters of its own are gone, and has told nobody of a later one', () => {
    const { peer, ballot: mine, effects: began } = successor(round(2), false)
    peer.hear('a', inventory(mine, round(1)))
    const effects: Effect[] = []
    for (let n = 0; n < 6; n++)
      effects.push(...peer.feed({ type: 'params-failed', job, round: round(2) }), ...peer.wait(3000))
    expect(sent(effects, 'grant')[0].message.round).toEqual(round(1))
    expect(peer.view()?.round).toBe(1)
    const told = only([...began, ...effects], 'gossip').map(one => one.message.round)
    expect(told.length).toBeGreaterThan(1)
    for (const one of told) expect(one).toEqual(round(1))
  })

  test('goes back one round at once when it is alone, with nobody left who could have the parameters', () => {
    const peer = corePeer('me')
    const lead = { counter: 1, peer: 'lead' }
    for (const name of ['own', 'lead']) peer.up(name)
    peer.hear('lead', digest(lead, 'own'))
    peer.spec('own')
    peer.manifest(0, 2)
    for (const n of [1, 2]) {
      peer.hear('lead', {
        type: 'grant',
        job,
        ballot: lead,
        shards: [0],
        leaseMs: 1,
        manifest: head(1),
        round: round(n),
      })
      if (n === 1) peer.feed({ type: 'params', job, round: round(n) })
    }
    const effects = [...peer.down('own'), ...peer.down('lead')]
    for (let n = 0; n < 20; n++) effects.push(...peer.wait(250))
    expect(peer.view()?.round).toBe(1)
    expect(sent(effects, 'grant').map(one => one.message.round)).toContainEqual(round(1))
  })
})
