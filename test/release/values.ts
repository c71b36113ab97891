/** What the fixture of a release holds, in that order of keys: it was encoded by that release's own code. */
import { createHash } from 'node:crypto'

const id = (text: string) => createHash('sha256').update(text).digest('hex')
export const peer = '12D3KooWGAnfNRuKhSh1CG6HJ9gJ1ajS9xkRwbDBTbaaiQTZn5SS'

const status = {
  name: 'fig',
  version: '0.1.0',
  device: '2 CPU workers (wasm simd fma)',
  backend: 'wasm' as const,
  slots: 2,
  itemsPerSecond: 41.5,
  load: 3,
}
const announcement = {
  boot: 1_700_000_000_000,
  seq: 7,
  everyMs: 1_000,
  degree: 2,
  status,
  addresses: [`/ip4/192.168.1.20/tcp/4601/p2p/${peer}`],
}
const told = [{ peer, announcement, ageMs: 250 }]
const ballot = { counter: 3, peer }
const manifest = { count: 2, head: id('head') }

export const values = {
  announcement,
  hello: { announcement, acquaintances: { count: 2, hash: 0xdeadbeef }, known: told },
  news: told,
  report: { peer, boot: 1_700_000_000_000, left: true },
  call: peer,
  token: { secret: new Uint8Array(32).fill(7), addresses: announcement.addresses },
  spec: {
    workload: 'classify',
    body: { models: [{ block: id('model') }], topK: 3 },
    submitter: peer,
    nonce: '0011223344556677',
    createdMs: 1_700_000_000_001,
    priority: 5,
  },
  manifest: {
    job: id('job'),
    index: 1,
    previous: id('head'),
    shards: [{ items: 64, bytes: 123_456, blocks: [id('a'), id('b')] }],
    last: true,
  },
  messages: [
    { type: 'offer', job: id('job'), ballot, manifest, complete: true },
    { type: 'offer-reply', job: id('job'), ballot, accepted: false, reason: 'busy' },
    { type: 'manifest', job: id('job'), manifest, complete: false },
    { type: 'grant', job: id('job'), ballot, shards: [1, 5, 6], leaseMs: 12_000, manifest },
    { type: 'revoke', job: id('job'), ballot, shards: [5] },
    { type: 'renew', job: id('job'), ballot, shards: [1], round: { round: 4, params: id('parameters') } },
    { type: 'results', job: id('job'), ballot, results: [{ shard: 1, block: id('result'), errors: 2 }] },
    { type: 'results-ack', job: id('job'), ballot, shards: [1] },
    { type: 'shard-failed', job: id('job'), ballot, shard: 7, reason: 'why', retryable: true },
    { type: 'claim', job: id('job'), ballot, manifest, complete: true },
    { type: 'inventory', job: id('job'), ballot, results: [], working: [6], manifest, complete: true },
    { type: 'superseded', job: id('job'), ballot },
    { type: 'cancel', job: id('job') },
    { type: 'outcome', job: id('job'), outcome: { phase: 'final', ballot, result: id('merged') } },
  ],
  digest: {
    type: 'digest',
    job: id('job'),
    owner: peer,
    ballot,
    version: 1_700_000_000_000,
    phase: 'running',
    manifest,
    complete: true,
    done: Uint8Array.of(255, 1),
    itemsDone: 90,
    itemsTotal: 160,
    shards: 16,
    shardsDone: 9,
    errors: 1,
    shares: [{ peer, leased: 2, itemsDone: 90, itemsPerSecond: 12.5 }],
  },
} as const
