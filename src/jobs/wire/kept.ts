/**
 * A peer's own records of its jobs, as bytes on its disk: one small record a job, and one for the results that came together. Read as warily as a
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
  invalid,
  peerKey,
  present,
  whole,
} from './fields.ts'
import {
  anyBallotIn,
  ballotOut,
  headIn,
  headOut,
  optionalOutcomeIn,
  outcomeOut,
  resultsIn,
  resultsOut,
  roundIn,
  roundOut,
} from './parts.ts'

const version = 1
/** Each field is small, and the digest among them is at most as large as a gossip message. */
const keptBytesMax = 2 * limits.gossipBytesMax
const resultsBytesMax = limits.messageBytesMax
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

/** Results that came together, in one record: a write costs the same for one and for many. */
export function encodeKeptResults(results: readonly ShardResult[]): Uint8Array {
  return encodeValue(resultsOut(results))
}

/** Throws PeerError of kind `protocol`. */
export function decodeKeptResults(bytes: Uint8Array): ShardResult[] {
  return resultsIn(decodeValue(bytes, resultsBytesMax))
}
