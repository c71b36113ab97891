/**
 * The leader's digest as a gossip message of at most `limits.gossipBytesMax`: what matters least is left out first, the
 * shares of the peers that did least, then the bitmap. Totals always fit.
 */
import { limits } from '../../base/limits.ts'
import type { Digest, JobPhase } from '../core/types.ts'
import { packBits, unpackBits } from './bitmap.ts'
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
  list,
  peerKey,
  present,
  whole,
} from './fields.ts'
import {
  ballotIn,
  ballotOut,
  headIn,
  headOut,
  optionalOutcomeIn,
  outcomeOut,
  roundIn,
  roundOut,
  tooLarge,
} from './parts.ts'

const version = 2
const phases: readonly JobPhase[] = ['open', 'running', 'merging', 'final', 'cancelled', 'failed']
/** Shares kept when not all fit: some 10 KiB of 64. */
const sharesKept = 128
const itemsMax = limits.shardsMax * limits.shardItemsMax
const noBits = new Uint8Array(0)

/** Throws PeerError only if not even the totals fit, which bounded fields do not let happen. */
export function encodeDigest(digest: Digest): Uint8Array {
  const whole = write(digest)
  if (whole.byteLength <= limits.gossipBytesMax) return whole
  const shares = [...digest.shares].sort((a, b) => b.itemsDone - a.itemsDone).slice(0, sharesKept)
  const fewer = write({ ...digest, shares })
  if (fewer.byteLength <= limits.gossipBytesMax) return fewer
  const least = write({ ...digest, shares, done: noBits })
  if (least.byteLength > limits.gossipBytesMax) throw tooLarge('a digest', least.byteLength, limits.gossipBytesMax)
  return least
}

function write(digest: Digest): Uint8Array {
  const { size, runs, bytes } = packBits(digest.done)
  return encodeValue(
    present({
      v: version,
      job: idOut(digest.job),
      owner: digest.owner,
      ballot: digest.ballot.counter === 0 ? undefined : ballotOut(digest.ballot),
      version: digest.version,
      phase: phases.indexOf(digest.phase),
      manifest: headOut(digest.manifest),
      complete: digest.complete,
      ...roundOut(digest),
      done: [size, runs, bytes],
      itemsDone: digest.itemsDone,
      itemsTotal: digest.itemsTotal,
      shards: digest.shards,
      shardsDone: digest.shardsDone,
      errors: digest.errors,
      shares: digest.shares.map(share => [share.peer, share.leased, share.itemsDone, share.itemsPerSecond]),
      outcome: digest.outcome && outcomeOut(digest.outcome),
    }),
  )
}

/** Throws PeerError of kind `protocol`. `done` may be empty where `shards` is not 0. */
export function decodeDigest(bytes: Uint8Array): Digest {
  const map = fields(decodeValue(bytes, limits.gossipBytesMax), 'digest')
  if (map.v !== version) throw invalid(`version is ${version}`, map.v)
  const outcome = optionalOutcomeIn(map)
  if (map.ballot === undefined && !outcome.outcome) throw invalid('a running job has a ballot')
  return {
    type: 'digest',
    job: idIn(map.job, 'job'),
    owner: peerKey(map.owner, 'owner'),
    ballot: map.ballot === undefined ? { counter: 0, peer: '' } : ballotIn(map.ballot),
    version: whole(map.version, Number.MAX_SAFE_INTEGER - 1, 'version'),
    phase: phases[whole(map.phase, phases.length - 1, 'phase')],
    manifest: headIn(map.manifest),
    complete: flag(map.complete, 'complete'),
    ...roundIn(map),
    done: doneIn(map.done),
    itemsDone: whole(map.itemsDone, itemsMax, 'itemsDone'),
    itemsTotal: whole(map.itemsTotal, itemsMax, 'itemsTotal'),
    shards: whole(map.shards, limits.shardsMax, 'shards'),
    shardsDone: whole(map.shardsDone, limits.shardsMax, 'shardsDone'),
    errors: whole(map.errors, itemsMax, 'errors'),
    shares: list(map.shares, limits.peersMax, 'shares', shareIn),
    ...outcome,
  }
}

function doneIn(value: unknown): Uint8Array {
  if (!Array.isArray(value) || value.length !== 3) throw invalid('done is a size, a form and bytes', value)
  return unpackBits({
    size: whole(value[0], Math.ceil(limits.shardsMax / 8), 'done size'),
    runs: flag(value[1], 'done form'),
    bytes: byteString(value[2], limits.gossipBytesMax, 'done'),
  })
}

function shareIn(value: unknown): Digest['shares'][number] {
  if (!Array.isArray(value) || value.length !== 4) throw invalid('a share has four parts', value)
  return {
    peer: peerKey(value[0], 'share peer'),
    leased: whole(value[1], limits.shardsMax, 'leased'),
    itemsDone: whole(value[2], itemsMax, 'share items'),
    itemsPerSecond: amount(value[3], 'share rate'),
  }
}
