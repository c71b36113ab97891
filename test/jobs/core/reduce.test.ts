/** The reducer as a whole: bounds, robustness, views, size. */
import { expect, test } from 'vitest'
import { limits } from '../../../src/base/limits.ts'
import { prng } from '../../../src/base/prng.ts'
import type { Event, Message, StreamMessage } from '../../../src/jobs/core/types.ts'
import { checkBooks } from '../../sim/checks.ts'
import {
  corePeer,
  digest,
  granted,
  head,
  id,
  job,
  leading,
  only,
  result,
  results,
  sent,
  type WithoutTime,
} from './harness.ts'

test('never throws, whatever is heard in whatever state', () => {
  const random = prng(5)
  const peers = ['me', 'own', 'a', 'b', 'zzz']
  const ballot = () => ({ counter: random.int(4), peer: random.pick(peers) })
  const shards = () => Array.from({ length: random.int(4) }, () => random.pick([0, 1, 5, 999_999]))
  const outcome = () => ({
    phase: random.pick(['final', 'cancelled', 'failed'] as const),
    ballot: ballot(),
    result: id('r'),
  })
  const chain = () => ({ manifest: head(random.int(3)), complete: random.next() < 0.5 })
  const inRound = () => (random.next() < 0.7 ? {} : { round: { round: 1 + random.int(3), params: id('parameters') } })
  const messages: (() => Message)[] = [
    () => ({ type: 'offer', job, ballot: ballot(), ...chain() }),
    () => ({ type: 'offer-reply', job, ballot: ballot(), accepted: random.next() < 0.5 }),
    () => ({ type: 'manifest', job, ...chain() }),
    () => ({ type: 'grant', job, ballot: ballot(), shards: shards(), leaseMs: 5, manifest: head(1), ...inRound() }),
    () => ({ type: 'revoke', job, ballot: ballot(), shards: shards(), ...inRound() }),
    () => ({ type: 'renew', job, ballot: ballot(), shards: shards(), ...inRound() }),
    () => ({
      type: 'results',
      job,
      ballot: ballot(),
      results: shards().map(shard => result(shard)),
      ...inRound(),
    }),
    () => ({ type: 'results-ack', job, ballot: ballot(), shards: shards(), ...inRound() }),
    () => ({
      type: 'shard-failed',
      job,
      ballot: ballot(),
      shard: 1,
      reason: '',
      retryable: random.next() < 0.9,
      ...inRound(),
    }),
    () => ({ type: 'claim', job, ballot: ballot(), ...chain() }),
    () => ({
      type: 'inventory',
      job,
      ballot: ballot(),
      results: shards().map(shard => result(shard)),
      working: shards(),
      ...chain(),
      ...inRound(),
    }),
    () => ({ type: 'superseded', job, ballot: ballot(), outcome: random.next() < 0.05 ? outcome() : undefined }),
    () => ({ type: 'cancel', job }),
    () => ({ type: 'outcome', job, outcome: outcome() }),
    () => digest(ballot(), random.pick(peers), { outcome: random.next() < 0.05 ? outcome() : undefined, ...inRound() }),
  ]
  const local: (() => WithoutTime<Event>)[] = [
    () => ({ type: 'spec', job, owner: 'own', priority: random.int(3) }),
    () => ({ type: 'params', job, round: { round: 1 + random.int(3), params: id('parameters') } }),
    () => ({ type: 'params-failed', job, round: { round: 1 + random.int(3), params: id('parameters') } }),
    () => ({ type: 'ran', job, result: result(random.int(4)), items: 10, elapsedMs: random.int(50), ...inRound() }),
    () => ({ type: 'run-failed', job, shard: random.int(4), reason: 'x', retryable: true, ...inRound() }),
    () => ({ type: 'result-lost', job, shard: random.int(4), ...inRound() }),
    () => ({ type: 'round-merged', job, ballot: ballot(), params: id('parameters'), ...inRound() }),
    () => ({ type: 'merged', job, ballot: ballot(), result: id('merged') }),
    () => ({ type: 'fetch-failed', job, what: random.next() < 0.5 ? 'spec' : 'manifest' }),
    () => ({ type: 'inputs-end', job }),
  ]
  let led = 0
  for (let round = 0; round < 400; round++) {
    const peer = corePeer('me')
    for (let n = 0; n < 60; n++) {
      const kind = random.int(13)
      if (kind >= 10) peer.feed(random.pick(local)())
      else if (kind < 6) peer.hear(random.pick(peers), random.pick(messages)())
      else if (kind === 6) peer.undelivered(random.pick(peers), notDigest(random.pick(messages)()))
      else if (kind === 7) random.next() < 0.5 ? peer.up(random.pick(peers)) : peer.down(random.pick(peers))
      else if (kind === 8) random.next() < 0.5 ? peer.spec('own') : peer.manifest(random.int(3), 2)
      else peer.wait(random.int(3000), 500)
      peer.view()
      // The books must hold after every step, whatever was said.
      checkBooks('me', peer.state)
      if (peer.state.jobs.get(job)?.leader) led++
    }
  }
  // Much of it was heard by a leader: a fuzz of refusals alone would prove little.
  expect(led).toBeGreaterThan(1000)
})

function notDigest(message: Message): StreamMessage {
  return message.type === 'digest' ? { type: 'cancel', job } : message
}

test('keeps at most jobsMax jobs: ended ones make room, running ones do not', () => {
  const peer = corePeer('me')
  peer.up('own')
  for (let n = 0; n < limits.jobsMax + 10; n++)
    peer.hear('lead', digest({ counter: 1, peer: 'lead' }, 'own', { job: id(`${n}`) }))
  expect(peer.state.jobs.size).toBe(limits.jobsMax)
  const offer = { type: 'offer', job, ballot: { counter: 1, peer: 'me' }, manifest: head(0), complete: false } as const
  expect(sent(peer.hear('own', offer), 'offer-reply')).toMatchObject([{ message: { accepted: false } }])
  const outcome = { phase: 'cancelled', ballot: { counter: 1, peer: 'lead' } } as const
  peer.hear('lead', digest({ counter: 1, peer: 'lead' }, 'own', { job: id('3'), outcome }))
  peer.hear('own', offer)
  expect(peer.state.jobs.size).toBe(limits.jobsMax)
  expect(peer.state.jobs.has(job)).toBe(true)
  expect(peer.state.jobs.has(id('3'))).toBe(false)
})

test('a clock that jumps neither stops time nor makes it pass', () => {
  const peer = leading('me', 'own', 3)
  peer.up('a')
  for (const jumpMs of [-500_000, 3_600_000]) {
    const before = peer.state.nowMs
    peer.sleep(jumpMs)
    expect(() => peer.wait(1000)).not.toThrow()
    expect(peer.state.nowMs - before).toBeGreaterThanOrEqual(900)
    expect(peer.state.nowMs - before).toBeLessThanOrEqual(2000)
  }
})

test('every peer that hears of a job shows it alike', () => {
  const lead = leading('lead', 'own', 4)
  lead.up('a')
  lead.hear('a', results({ counter: 1, peer: 'lead' }, result(0)))
  const [newest] = only(lead.wait(2000), 'gossip').slice(-1)
  const passive = corePeer('far')
  passive.hear('lead', newest.message)
  const { sinceMs: _, ...here } = passive.view()!
  const { sinceMs: __, ...there } = lead.view()!
  expect(here).toEqual(there)
  expect(here).toMatchObject({ phase: 'running', leader: 'lead', shardsDone: 1, shardsTotal: 4, itemsTotal: 40 })
})

test('100,000 shards pass through one leader in bounded steps', () => {
  const shards = 100_000
  const peer = leading('me', 'own', 0, {}, false)
  const ballot = { counter: 1, peer: 'me' }
  peer.up('a', 4, 50_000)
  const pending = Object.values(granted(peer.manifest(1, shards, 1))).flat()
  let merged = 0
  let most = 0
  for (let steps = 0; merged < shards && steps < 10_000; steps++) {
    const batch = pending.splice(0, 500)
    peer.sleep(10)
    const effects = [
      ...peer.hear('a', results(ballot, ...batch.map(shard => ({ shard, block: job, errors: 0 })))),
      ...peer.wait(1),
    ]
    merged += only(effects, 'merge-shard').length
    pending.push(...Object.values(granted(effects)).flat())
    most = Math.max(most, effects.length, pending.length)
  }
  expect(merged).toBe(shards)
  expect(most).toBeLessThanOrEqual(4096 + 10)
})
