/**
 * A peer's own records of its jobs, as bytes on its disk: one small record a job, and one a result. Read as warily as a
 * message, because a disk forgets and an older version may have written it.
 */
import { limits } from '../../base/limits.ts'
import type { JobKept, ShardResult } from '../core/types.ts'
import { decodeDigest, encodeDigest } from './digest.ts'
import {
  amount,
  byteString,
  decodeValue,
  encodeValue,
  fields,
  flag,
  idIn,
  idOut,
  invalid,
  peerKey,
  present,
  whole,
} from './fields.ts'
import { anyBallotIn, ballotOut, headIn, headOut, optionalOutcomeIn, outcomeOut, roundIn, roundOut } from './parts.ts'

const version = 1
/** Each field is small, and the digest among them is at most as large as a gossip message. */
const keptBytesMax = 2 * limits.gossipBytesMax
const resultBytesMax = 256
const offersMax = 2 ** 40
const priorityMax = 1000

export function encodeKept(kept: JobKept): Uint8Array {
  return encodeValue(
    present({
      v: version,
      owner: kept.owner,
      priority: kept.priority,
      startedMs: kept.startedMs,
      ballot: ballotOut(kept.ballot),
      specKnown: kept.specKnown,
      known: headOut(kept.known),
      target: headOut(kept.target),
      complete: kept.complete,
      ...roundOut(kept),
      offers: kept.offers,
      outcome: kept.outcome && outcomeOut(kept.outcome),
      endedMs: kept.endedMs,
      // A digest names an owner; totals of a job whose owner was never heard of are of no use.
      seen: kept.owner === undefined ? undefined : kept.seen && encodeDigest(kept.seen),
    }),
  )
}

/** Throws PeerError of kind `protocol`. */
export function decodeKept(bytes: Uint8Array): JobKept {
  const map = fields(decodeValue(bytes, keptBytesMax), 'a record')
  if (map.v !== version) throw invalid(`version is ${version}`, map.v)
  const kept: JobKept = {
    priority: whole(map.priority, priorityMax, 'priority'),
    startedMs: amount(map.startedMs, 'startedMs'),
    ballot: anyBallotIn(map.ballot),
    specKnown: flag(map.specKnown, 'specKnown'),
    known: headIn(map.known),
    target: headIn(map.target),
    complete: flag(map.complete, 'complete'),
    ...roundIn(map),
    endedMs: amount(map.endedMs, 'endedMs'),
    ...optionalOutcomeIn(map),
  }
  if (map.owner !== undefined) kept.owner = peerKey(map.owner, 'owner')
  if (map.offers !== undefined) kept.offers = whole(map.offers, offersMax, 'offers')
  if (map.seen !== undefined) kept.seen = decodeDigest(byteString(map.seen, limits.gossipBytesMax, 'seen'))
  return kept
}

/** The shard's number is in the record's key. */
export function encodeKeptResult({ block, errors }: ShardResult): Uint8Array {
  return encodeValue([idOut(block), errors])
}

/** Throws PeerError of kind `protocol`. */
export function decodeKeptResult(shard: number, bytes: Uint8Array): ShardResult {
  const pair = decodeValue(bytes, resultBytesMax)
  if (!Array.isArray(pair) || pair.length !== 2) throw invalid('a kept result is a block and a count', pair)
  return {
    shard: whole(shard, limits.shardsMax - 1, 'shard'),
    block: idIn(pair[0], 'block'),
    errors: whole(pair[1], limits.shardItemsMax, 'errors'),
  }
}
