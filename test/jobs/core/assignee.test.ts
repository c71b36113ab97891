import { describe, expect, test } from 'vitest'
import { corePeer, digest, head, job, only, result, sent } from './harness.ts'

const ballot = { counter: 1, peer: 'lead' }
const grant = (...shards: number[]) =>
  ({ type: 'grant', job, ballot, shards, leaseMs: 10_000, manifest: head(1) }) as const
const ran = (shard: number) => ({ type: 'ran', job, result: result(shard), items: 1, elapsedMs: 1 }) as const

function assignee() {
  const peer = corePeer('me')
  peer.up('lead')
  peer.up('own')
  return peer
}

function ready(...shards: number[]) {
  const peer = assignee()
  peer.hear('lead', grant(...shards))
  peer.spec('own')
  peer.manifest(0, 10)
  return peer
}

describe('granted shards', () => {
  test('run as soon as spec and manifest are here, each once', () => {
    const peer = assignee()
    const effects = peer.hear('lead', grant(2, 0))
    expect(only(effects, 'fetch-spec')).toHaveLength(1)
    expect(only(effects, 'fetch-manifest')).toMatchObject([{ known: { count: 0 }, manifest: { count: 1 } }])
    expect(only(peer.spec('own'), 'run')).toEqual([])
    expect(only(peer.manifest(0, 10), 'run').map(one => one.shard)).toEqual([2, 0])
    expect(only(peer.hear('lead', grant(2, 0, 1)), 'run').map(one => one.shard)).toEqual([1])
  })

  test('are renewed with results on their way, and no longer once all is acknowledged', () => {
    const peer = ready(0, 1)
    peer.feed(ran(0))
    const alive = () => peer.hear('lead', digest(ballot, 'own'))
    alive()
    // The grant's lease is longer than the usual one, and so is the time between renewals.
    const renewMs = (grant().leaseMs * peer.config.renewMs) / peer.config.leaseMs
    const early = [...peer.wait(renewMs / 2), ...alive(), ...peer.wait(renewMs / 2 - 100), ...alive()]
    expect(sent(early, 'renew')).toEqual([])
    expect(sent(peer.wait(200), 'renew')).toMatchObject([{ to: 'lead', message: { shards: [1, 0] } }])
    peer.feed(ran(1))
    peer.hear('lead', { type: 'results-ack', job, ballot, shards: [0, 1] })
    expect(sent(peer.wait(20_000), 'results')).toEqual([])
  })

  test('that were computed before are sent again, not computed', () => {
    const peer = ready(0)
    peer.feed(ran(0))
    peer.hear('lead', { type: 'results-ack', job, ballot, shards: [0] })
    const again = peer.hear('lead', grant(0))
    expect(only(again, 'run')).toEqual([])
    expect(sent(again, 'results')).toMatchObject([{ message: { results: [{ shard: 0 }] } }])
    peer.feed({ type: 'result-lost', job, shard: 0 })
    expect(only(peer.hear('lead', grant(0)), 'run')).toHaveLength(1)
  })

  test('that were revoked are abandoned; a result that came all the same is sent', () => {
    const peer = ready(0, 1)
    const effects = peer.hear('lead', { type: 'revoke', job, ballot, shards: [0, 7] })
    expect(only(effects, 'abandon').map(one => one.shard)).toEqual([0])
    expect(sent(peer.feed(ran(0)), 'results')).toHaveLength(1)
  })
})

describe('results', () => {
  test('that did not get through are sent again soon; unacknowledged ones after a lease', () => {
    const peer = ready(0)
    const [first] = sent(peer.feed(ran(0)), 'results')
    peer.undelivered('lead', first.message)
    expect(sent(peer.wait(peer.config.retryMs + 100), 'results')).toHaveLength(1)
    for (let n = 0; n < 5; n++) {
      peer.wait(2500)
      peer.hear('lead', grant())
    }
    expect(sent(peer.wait(100), 'results').length).toBeLessThanOrEqual(1)
  })
})

describe('failures', () => {
  test('are reported until the leader hears', () => {
    const peer = ready(0)
    const failed = peer.feed({ type: 'run-failed', job, shard: 0, reason: 'out of memory', retryable: true })
    const [report] = sent(failed, 'shard-failed')
    expect(report.message).toMatchObject({ shard: 0, reason: 'out of memory', retryable: true })
    peer.undelivered('lead', report.message)
    expect(sent(peer.wait(1000), 'shard-failed')).toHaveLength(1)
  })

  test('a spec that nobody has gives the leases back', () => {
    const peer = assignee()
    peer.hear('lead', grant(0, 1))
    const sources = new Set<string>()
    const reports: number[] = []
    for (let n = 0; n < 8; n++) {
      const effects = [...peer.feed({ type: 'fetch-failed', job, what: 'spec' }), ...peer.wait(4000, 1000)]
      for (const { from } of only(effects, 'fetch-spec')) sources.add(from)
      reports.push(...sent(effects, 'shard-failed').map(one => one.message.shard))
    }
    expect([...sources].toSorted()).toEqual(['lead', 'own'])
    expect(reports).toEqual([0, 1])
  })
})
