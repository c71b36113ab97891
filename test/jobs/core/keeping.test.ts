/** What is stored, when, and what a peer does with it after a restart. */
import { expect, test } from 'vitest'
import type { Effect, JobKept, ShardResult, StreamMessage } from '../../../src/jobs/core/types.ts'
import { decodeDigest, encodeDigest } from '../../../src/jobs/wire/digest.ts'
import { decodeKept, encodeKept } from '../../../src/jobs/wire/kept.ts'
import { corePeer, digest, head, id, job, leading, only, result, results, sent } from './harness.ts'

const one = { counter: 1, peer: 'bee' }

/** The newest record and all results that these effects store. */
function stored(effects: Effect[]): { kept: JobKept; results: ShardResult[] } {
  const kept = only(effects, 'keep').at(-1)?.kept
  if (!kept) throw new Error('nothing was kept')
  return { kept, results: only(effects, 'keep-results').flatMap(effect => effect.results) }
}

test('what a step promises is stored before it is said', () => {
  const bee = corePeer('bee')
  bee.up('ant')
  bee.hear('ant', { type: 'offer', job, ballot: one, manifest: head(0), complete: false })
  const accepts = bee.spec('ant')
  expect(accepts[0]).toMatchObject({ type: 'keep', kept: { ballot: one, specKnown: true, owner: 'ant' } })
  expect(sent(accepts, 'offer-reply')).toHaveLength(1)

  const took = leading('ant', 'bee', 4)
  took.up('cat')
  const answer = took.hear('cat', results({ counter: 1, peer: 'ant' }, result(2)))
  expect(answer[0]).toMatchObject({ type: 'keep-results', results: [result(2)] })
  expect(sent(answer, 'results-ack')).toHaveLength(1)
  const again = took.hear('cat', results({ counter: 1, peer: 'ant' }, result(2)))
  expect(only(again, 'keep-results')).toEqual([])
})

test('a job of which only the end was heard is kept in a form that can be read again, before and after its owner is named', () => {
  const ant = corePeer('ant')
  ant.up('bee')
  const outcome = { phase: 'cancelled', ballot: one } as const
  const effects = [
    ...ant.hear('bee', { type: 'claim', job, ballot: one, manifest: head(0), complete: false }),
    ...ant.hear('bee', { type: 'superseded', job, ballot: one, outcome }),
    ...ant.hear('bee', digest(one, 'cat', { phase: 'running' })),
    ...ant.wait(5000),
  ]
  expect(ant.view()?.owner).toBe('cat')
  const records = only(effects, 'keep').map(effect => effect.kept)
  expect(records.at(-1)).toMatchObject({ owner: 'cat', outcome })
  for (const kept of records) expect(decodeKept(encodeKept(kept)).outcome).toEqual(kept.outcome)
  for (const { message } of only(effects, 'gossip')) expect(() => decodeDigest(encodeDigest(message))).not.toThrow()
})

test('results of a round whose parameters are not here are kept once they are, and not under the round before', () => {
  const ant = corePeer('ant')
  for (const peer of ['bee', 'cat']) ant.up(peer)
  ant.hear('bee', digest(one, 'cat'))
  ant.spec('cat')
  ant.manifest(0, 4)
  const round = { round: 1, params: id('params') }
  ant.hear('bee', { type: 'grant', job, ballot: one, shards: [0], leaseMs: 1000, manifest: head(1), round })
  ant.down('bee')
  ant.wait(1000)
  expect(ant.job().leader).toBeDefined()
  const { ballot } = ant.job()
  const brought = ant.hear('cat', { type: 'results', job, ballot, results: [result(2)], round })
  expect(ant.job().results.get(2)).toEqual(result(2))
  expect(only(brought, 'keep-results')).toEqual([])
  const here = ant.feed({ type: 'params', job, round })
  const kept = here.filter(({ type }) => type.startsWith('keep') || type === 'forget-results')
  expect(kept).toMatchObject([
    { type: 'forget-results' },
    { type: 'keep', kept: { round } },
    { type: 'keep-results', results: [result(2)] },
  ])
})

test('a step that changes nothing durable stores nothing', () => {
  const ant = leading('ant', 'bee', 4)
  ant.up('cat')
  expect(only(ant.wait(2000), 'keep')).toEqual([])
})

test('an assignee that restarts tells its leader what it has, and computes none of it again', () => {
  const before = corePeer('ant')
  const effects = [...before.hear('bee', digest(one, 'cat')), ...before.spec('cat'), ...before.manifest(0, 3)]
  const grant: StreamMessage & { type: 'grant' } = {
    type: 'grant',
    job,
    ballot: one,
    shards: [0, 1],
    leaseMs: 1000,
    manifest: head(1),
  }
  effects.push(...before.hear('bee', grant))
  effects.push(...before.feed({ type: 'ran', job, result: result(0), items: 10, elapsedMs: 5 }))

  const after = corePeer('ant')
  after.feed({ type: 'restore', job, ...stored(effects) })
  after.manifest(0, 3)
  after.up('bee')
  const [inventory] = sent(after.wait(200), 'inventory')
  expect(inventory.message.results).toEqual([result(0)])
  const reply = after.hear('bee', { ...grant, shards: [0, 2] })
  expect(only(reply, 'run').map(run => run.shard)).toEqual([2])
  expect(sent(reply, 'results')[0].message.results).toEqual([result(0)])
})

test('a leader that restarts listens before it claims, and never under a ballot that it used', () => {
  const before = leading('ant', 'bee', 4)
  before.up('cat')
  const record = before.job().kept!
  const restart = () => {
    const ant = corePeer('ant')
    ant.feed({ type: 'restore', job, kept: record, results: [result(1)] })
    ant.up('bee')
    ant.manifest(0, 4)
    return ant
  }
  const ant = restart()
  expect(sent(ant.wait(ant.config.leaderSilenceMs - 200), 'claim')).toEqual([])
  expect(sent(ant.wait(500), 'claim')[0].message.ballot).toEqual({ counter: 2, peer: 'ant' })
  expect(ant.view()?.shardsDone).toBe(1)

  const succeeded = restart()
  const reply = succeeded.hear('cat', digest({ counter: 2, peer: 'cat' }, 'bee'))
  expect(sent(reply, 'inventory')[0]).toMatchObject({ to: 'cat', message: { results: [result(1)] } })
  expect(sent(succeeded.wait(1000), 'claim')).toEqual([])
})

test('an owner that restarts goes on looking for a leader, once it has read its own manifests', () => {
  const before = corePeer('ant')
  before.up('bee')
  const effects = [...before.feed({ type: 'submit', job, priority: 3 }), ...before.manifest(0, 2)]
  effects.push(...before.feed({ type: 'inputs-end', job }))

  const ant = corePeer('ant')
  ant.up('ant', 0)
  ant.up('bee')
  ant.feed({ type: 'restore', job, ...stored(effects) })
  ant.manifest(0, 2)
  const [offer] = sent(ant.wait(200), 'offer')
  expect(offer).toMatchObject({ to: 'bee', message: { complete: true, manifest: head(1) } })
  expect(offer.message.ballot.counter).toBeGreaterThan(1)
})

test('an ended job stays ended and keeps its totals; its results are let go', () => {
  const before = leading('ant', 'bee', 1)
  const effects = before.hear('ant', results({ counter: 1, peer: 'ant' }, result(0)))
  const ballot = { counter: 1, peer: 'ant' }
  effects.push(...before.feed({ type: 'merged', job, ballot, result: result(9).block }))
  expect(only(effects, 'forget')).toEqual([{ type: 'forget', job, record: false }])

  const ant = corePeer('ant')
  ant.feed({ type: 'restore', job, ...stored(effects) })
  expect(ant.view()).toMatchObject({ phase: 'final', shardsDone: 1, itemsDone: 10 })
  expect(
    ant.hear('cat', { type: 'claim', job, ballot: { counter: 9, peer: 'cat' }, manifest: head(1), complete: true }),
  ).toMatchObject([{ message: { type: 'superseded', outcome: { phase: 'final' } } }])
})
