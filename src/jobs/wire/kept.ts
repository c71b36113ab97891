/**
 * What a peer stores of a job, as bytes: the record that outlives a restart, and results a batch at a time. Read back it is
 * checked like a message from outside: a disk may lie too, and a record that breaks the rules is set aside by the caller.
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
} from './parts.ts'

const version = 1
/** A record is a few hundred bytes, with the totals of an ended job at most a gossip message more. */
const recordBytesMax = 2 * limits.gossipBytesMax
const priorityMax = 1000

/** At most some 130 KiB, usually a few hundred bytes. */
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
      offers: kept.offers,
      outcome: kept.outcome && outcomeOut(kept.outcome),
      endedMs: kept.endedMs,
      seen: kept.seen && encodeDigest(kept.seen),
    }),
  )
}

/** Throws PeerError of kind `protocol` when the bytes are no record of this version. */
export function decodeKept(bytes: Uint8Array): JobKept {
  const map = fields(decodeValue(bytes, recordBytesMax), 'a kept job')
  if (map.v !== version) throw invalid(`version is ${version}`, map.v)
  const kept: JobKept = {
    priority: whole(map.priority, priorityMax, 'priority'),
    startedMs: amount(map.startedMs, 'startedMs'),
    ballot: anyBallotIn(map.ballot),
    specKnown: flag(map.specKnown, 'specKnown'),
    known: headIn(map.known),
    target: headIn(map.target),
    complete: flag(map.complete, 'complete'),
    endedMs: amount(map.endedMs, 'endedMs'),
    ...optionalOutcomeIn(map),
  }
  if (map.owner !== undefined) kept.owner = peerKey(map.owner, 'owner')
  if (map.offers !== undefined) kept.offers = whole(map.offers, Number.MAX_SAFE_INTEGER, 'offers')
  if (map.seen !== undefined) kept.seen = decodeDigest(byteString(map.seen, limits.gossipBytesMax, 'seen'))
  return kept
}

/** At most `limits.messageShardsMax` results in one batch, 40 bytes or so each. */
export function encodeKeptResults(results: readonly ShardResult[]): Uint8Array {
  return encodeValue({ v: version, results: resultsOut(results) })
}

/** Throws PeerError of kind `protocol`. */
export function decodeKeptResults(bytes: Uint8Array): ShardResult[] {
  const map = fields(decodeValue(bytes, limits.messageBytesMax), 'kept results')
  if (map.v !== version) throw invalid(`version is ${version}`, map.v)
  return resultsIn(map.results)
}
