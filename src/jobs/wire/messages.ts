/** Every stream message as DAG-CBOR data and back: one entry a type, so that a forgotten one does not compile. */
import { limits } from '../../base/limits.ts'
import type { Digest, StreamMessage } from '../core/types.ts'
import { decodeDigest, encodeDigest } from './digest.ts'
import { amount, byteString, type Fields, fields, flag, idIn, idOut, invalid, present, reason, text } from './fields.ts'
import {
  anyBallotIn,
  ballotIn,
  ballotOut,
  headIn,
  headOut,
  optionalOutcomeIn,
  outcomeIn,
  outcomeOut,
  resultsIn,
  resultsOut,
  roundIn,
  roundOut,
  shardIn,
  shardsIn,
} from './parts.ts'

type Type = StreamMessage['type']
type Of<K extends Type> = { [P in K]: StreamMessage & { type: P } }[K]
interface Codec<K extends Type> {
  /** The fields besides type and job. */
  out(message: Of<K>): Fields
  in(map: Fields, job: string): Of<K>
}

const codecs: { [P in Type]: Codec<P> } = {
  offer: {
    out: m => ({ ballot: ballotOut(m.ballot), manifest: headOut(m.manifest), complete: m.complete }),
    in: (map, job) => ({ type: 'offer', job, ballot: ballotIn(map.ballot), ...chainIn(map) }),
  },
  'offer-reply': {
    out: m => present({ ballot: ballotOut(m.ballot), accepted: m.accepted, reason: m.reason }),
    in: (map, job) => ({
      type: 'offer-reply',
      job,
      ballot: ballotIn(map.ballot),
      accepted: flag(map.accepted, 'accepted'),
      ...(map.reason === undefined ? {} : { reason: reason(map.reason) }),
    }),
  },
  manifest: {
    out: m => ({ manifest: headOut(m.manifest), complete: m.complete }),
    in: (map, job) => ({ type: 'manifest', job, ...chainIn(map) }),
  },
  grant: {
    out: m => ({
      ballot: ballotOut(m.ballot),
      shards: m.shards,
      leaseMs: m.leaseMs,
      manifest: headOut(m.manifest),
      ...roundOut(m),
    }),
    in: (map, job) => ({
      type: 'grant',
      job,
      ballot: ballotIn(map.ballot),
      shards: shardsIn(map.shards, 'shards'),
      leaseMs: amount(map.leaseMs, 'leaseMs'),
      manifest: headIn(map.manifest),
      ...roundIn(map),
    }),
  },
  revoke: {
    out: m => ({ ballot: ballotOut(m.ballot), shards: m.shards, ...roundOut(m) }),
    in: (map, job) => ({ type: 'revoke', job, ...ballotAndShardsIn(map) }),
  },
  renew: {
    out: m => ({ ballot: ballotOut(m.ballot), shards: m.shards, ...roundOut(m) }),
    in: (map, job) => ({ type: 'renew', job, ...ballotAndShardsIn(map) }),
  },
  results: {
    out: m => ({ ballot: ballotOut(m.ballot), results: resultsOut(m.results), ...roundOut(m) }),
    in: (map, job) => ({
      type: 'results',
      job,
      ballot: ballotIn(map.ballot),
      results: resultsIn(map.results),
      ...roundIn(map),
    }),
  },
  'results-ack': {
    out: m => ({ ballot: ballotOut(m.ballot), shards: m.shards, ...roundOut(m) }),
    in: (map, job) => ({ type: 'results-ack', job, ...ballotAndShardsIn(map) }),
  },
  'shard-failed': {
    out: m => ({
      ballot: ballotOut(m.ballot),
      shard: m.shard,
      reason: m.reason,
      retryable: m.retryable,
      ...(m.missing ? { missing: true } : {}),
      ...(m.unfit ? { unfit: true } : {}),
      ...roundOut(m),
    }),
    in: (map, job) => ({
      type: 'shard-failed',
      job,
      ballot: ballotIn(map.ballot),
      shard: shardIn(map.shard),
      reason: text(map.reason, limits.reasonCharsMax, 'reason'),
      retryable: flag(map.retryable, 'retryable'),
      ...(map.missing === undefined ? {} : { missing: flag(map.missing, 'missing') }),
      ...(map.unfit === undefined ? {} : { unfit: flag(map.unfit, 'unfit') }),
      ...roundIn(map),
    }),
  },
  claim: {
    out: m => ({ ballot: ballotOut(m.ballot), manifest: headOut(m.manifest), complete: m.complete }),
    in: (map, job) => ({ type: 'claim', job, ballot: ballotIn(map.ballot), ...chainIn(map) }),
  },
  inventory: {
    out: m => ({
      ballot: ballotOut(m.ballot),
      results: resultsOut(m.results),
      working: m.working,
      manifest: headOut(m.manifest),
      complete: m.complete,
      ...roundOut(m),
    }),
    in: (map, job) => ({
      type: 'inventory',
      job,
      ballot: ballotIn(map.ballot),
      results: resultsIn(map.results),
      working: shardsIn(map.working, 'working'),
      ...chainIn(map),
      ...roundIn(map),
    }),
  },
  superseded: {
    out: m => present({ ballot: ballotOut(m.ballot), outcome: m.outcome && outcomeOut(m.outcome), end: endOut(m) }),
    in: (map, job) => ({
      type: 'superseded',
      job,
      ballot: anyBallotIn(map.ballot),
      ...optionalOutcomeIn(map),
      ...endIn(map),
    }),
  },
  cancel: { out: () => ({}), in: (_map, job) => ({ type: 'cancel', job }) },
  outcome: {
    out: m => present({ outcome: outcomeOut(m.outcome), end: endOut(m) }),
    in: (map, job) => ({ type: 'outcome', job, outcome: outcomeIn(map.outcome), ...endIn(map) }),
  },
}

const endOut = ({ end }: { end?: Digest }) => end && encodeDigest(end)

/** Its job, owner and outcome are looked at where it is used. */
function endIn(map: Fields): { end?: Digest } {
  return map.end === undefined ? {} : { end: decodeDigest(byteString(map.end, limits.gossipBytesMax, 'end')) }
}

function chainIn(map: Fields) {
  return { manifest: headIn(map.manifest), complete: flag(map.complete, 'complete') }
}

function ballotAndShardsIn(map: Fields) {
  return { ballot: ballotIn(map.ballot), shards: shardsIn(map.shards, 'shards'), ...roundIn(map) }
}

const isType = (value: string): value is Type => Object.hasOwn(codecs, value)

function outAs<K extends Type>(type: K, message: Of<K>): Fields {
  return codecs[type].out(message)
}

export function messageOut(message: StreamMessage): Fields {
  return { type: message.type, job: idOut(message.job), ...outAs(message.type, message) }
}

/** Throws PeerError of kind `protocol` for an unknown type or a field out of its bounds. */
export function messageIn(value: unknown): StreamMessage {
  const map = fields(value, 'message')
  const type = text(map.type, 64, 'type')
  if (!isType(type)) throw invalid(`type is one of ${Object.keys(codecs).join(', ')}`, type)
  return codecs[type].in(map, idIn(map.job, 'job'))
}
