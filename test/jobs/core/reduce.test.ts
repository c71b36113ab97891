/** The reducer as a whole: bounds, robustness, views, size. */
import { expect, test } from 'vitest'
import { limits } from '../../../src/base/limits.ts'
import { prng } from '../../../src/base/prng.ts'
import type { Message, StreamMessage } from '../../../src/jobs/core/types.ts'
import { corePeer, digest, granted, head, id, job, leading, only, result, results, sent } from './harness.ts'

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
  const messages: (() => Message)[] = [
    () => ({ type: 'offer', job, ballot: ballot(), ...chain() }),
    () => ({ type: 'offer-reply', job, ballot: ballot(), accepted: random.next() < 0.5 }),
    () => ({ type: 'manifest', job, ...chain() }),
    () => ({ type: 'grant', job, ballot: ballot(), shards: shards(), leaseMs: 5, manifest: head(1) }),
    () => ({ type: 'revoke', job, ballot: ballot(), shards: shards() }),
    () => ({ type: 'renew', job, ballot: ballot(), shards: shards() }),
    () => results(ballot(), ...shards().map(shard => result(shard))),
    () => ({ type: 'results-ack', job, ballot: ballot(), shards: shards() }),
    () => ({ type: 'shard-failed', job, ballot: ballot(), shard: 1, reason: '', retryable: random.next() < 0.9 }),
    () => ({ type: 'claim', job, ballot: ballot(), ...chain() }),
    () => ({
      type: 'inventory',
      job,
      ballot: ballot(),
      results: shards().map(shard => result(shard)),
      working: shards(),
      ...chain(),
    }),
    () => ({ type: 'superseded', job, ballot: ballot(), outcome: random.next() < 0.05 ? outcome() : undefined }),
    () => ({ type: 'cancel', job }),
    () => ({ type: 'outcome', job, outcome: outcome() }),
    () => digest(ballot(), random.pick(peers), { outcome: random.next() < 0.05 ? outcome() : undefined }),
  ]
  for (let round = 0; round < 150; round++) {
    const peer = corePeer('me')
    for (let n = 0; n < 60; n++) {
      const kind = random.int(10)
      if (kind < 6) peer.hear(random.pick(peers), random.pick(messages)())
      else if (kind === 6) peer.undelivered(random.pick(peers), notDigest(random.pick(messages)()))
      else if (kind === 7) random.next() < 0.5 ? peer.up(random.pick(peers)) : peer.down(random.pick(peers))
      else if (kind === 8) random.next() < 0.5 ? peer.spec('own') : peer.manifest(random.int(3), 2)
      else peer.wait(random.int(3000), 500)
      peer.view()
    }
  }
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
