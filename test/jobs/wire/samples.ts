/** One of every message, and random ones, for the tests of the wire. */
import { blockId } from '../../../src/base/ids.ts'
import type { Prng } from '../../../src/base/prng.ts'
import type {
  Digest,
  JobOutcome,
  ManifestHead,
  RoundHead,
  ShardResult,
  StreamMessage,
} from '../../../src/jobs/core/types.ts'

export const id = (text: string) => blockId(new TextEncoder().encode(text))

/** Every type at least once for each of its optional parts. */
export function everyMessage(random: Prng): StreamMessage[] {
  const job = id('job')
  const ballot = () => ({ counter: 1 + random.int(2 ** 31), peer: `12D3KooW${random.int(1e9)}` })
  const shards = () => Array.from({ length: random.int(5) }, () => random.int(1_000_000))
  const results = (): ShardResult[] =>
    shards().map(shard => ({ shard, block: id(`${shard}`), errors: random.int(65_537) }))
  const manifest = (): ManifestHead =>
    random.next() < 0.3 ? { count: 0 } : { count: 1 + random.int(1e6), head: id('head') }
  const complete = random.next() < 0.5
  const round = (): RoundHead => ({ round: 1 + random.int(100_000), params: id(`parameters ${random.int(9)}`) })
  const outcomes: JobOutcome[] = [
    { phase: 'final', ballot: ballot(), result: id('result') },
    { phase: 'cancelled', ballot: { counter: 0, peer: '' } },
    { phase: 'failed', ballot: ballot(), reason: 'ein Grund – mit Strich' },
    { phase: 'failed', ballot: ballot(), reason: 'nobody came', byTime: true },
  ]
  return [
    { type: 'offer', job, ballot: ballot(), manifest: manifest(), complete },
    { type: 'offer-reply', job, ballot: ballot(), accepted: true },
    { type: 'offer-reply', job, ballot: ballot(), accepted: false, reason: 'busy' },
    { type: 'manifest', job, manifest: manifest(), complete },
    { type: 'grant', job, ballot: ballot(), shards: shards(), leaseMs: 12_000, manifest: manifest() },
    { type: 'revoke', job, ballot: ballot(), shards: shards() },
    { type: 'renew', job, ballot: ballot(), shards: shards() },
    { type: 'results', job, ballot: ballot(), results: results() },
    { type: 'results-ack', job, ballot: ballot(), shards: shards() },
    { type: 'shard-failed', job, ballot: ballot(), shard: 7, reason: '', retryable: complete },
    { type: 'claim', job, ballot: ballot(), manifest: manifest(), complete },
    { type: 'inventory', job, ballot: ballot(), results: results(), working: shards(), manifest: manifest(), complete },
    { type: 'grant', job, ballot: ballot(), shards: shards(), leaseMs: 1, manifest: manifest(), round: round() },
    { type: 'revoke', job, ballot: ballot(), shards: shards(), round: round() },
    { type: 'renew', job, ballot: ballot(), shards: shards(), round: round() },
    { type: 'results', job, ballot: ballot(), results: results(), round: round() },
    { type: 'results-ack', job, ballot: ballot(), shards: shards(), round: round() },
    { type: 'shard-failed', job, ballot: ballot(), shard: 7, reason: 'why', retryable: complete, round: round() },
    { type: 'shard-failed', job, ballot: ballot(), shard: 7, reason: 'why', retryable: true, missing: true },
    { type: 'shard-failed', job, ballot: ballot(), shard: 7, reason: 'no memory', retryable: true, unfit: true },
    {
      type: 'inventory',
      job,
      ballot: ballot(),
      results: results(),
      working: shards(),
      manifest: manifest(),
      complete,
      round: round(),
    },
    { type: 'superseded', job, ballot: ballot() },
    ...outcomes.map((outcome): StreamMessage => ({ type: 'superseded', job, ballot: ballot(), outcome })),
    { type: 'superseded', job, ballot: { counter: 0, peer: '' }, outcome: outcomes[1] },
    { type: 'cancel', job },
    ...outcomes.map((outcome): StreamMessage => ({ type: 'outcome', job, outcome })),
    ...outcomes.map((outcome): StreamMessage => ({ type: 'outcome', job, outcome, end: sampleDigest({ outcome }) })),
    { type: 'superseded', job, ballot: ballot(), outcome: outcomes[0], end: sampleDigest({ outcome: outcomes[0] }) },
  ]
}

export function sampleDigest(change: Partial<Digest> = {}): Digest {
  return {
    type: 'digest',
    job: id('job'),
    owner: '12D3KooWowner',
    ballot: { counter: 3, peer: '12D3KooWleader' },
    version: 1_700_000_000_000,
    phase: 'running',
    manifest: { count: 2, head: id('head') },
    complete: true,
    done: Uint8Array.of(255, 1),
    itemsDone: 90,
    itemsTotal: 160,
    shards: 16,
    shardsDone: 9,
    errors: 1,
    shares: [{ peer: '12D3KooWa', leased: 2, itemsDone: 90, itemsPerSecond: 12.5 }],
    ...change,
  }
}
