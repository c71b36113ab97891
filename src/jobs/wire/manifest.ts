/**
 * A manifest block: the next shards of a job, as an append-only chain signed by the job's owner. Shards are numbered by
 * their place in the chain, so a shard's number means the same blocks on every peer.
 */
import type { BlockId, JobId, PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { fields, flag, idIn, idOut, idsIn, idsOut, invalid, list, whole } from './fields.ts'
import { decodeSigned, encodeSigned, type Sign, type Verify } from './signed.ts'

export interface ShardEntry {
  /** Images or rows. */
  items: number
  /** Of all its blocks together. */
  bytes: number
  /** The input, in order. */
  blocks: BlockId[]
}

export interface Manifest {
  job: JobId
  /** Its place in the chain, from 0. */
  index: number
  /** The manifest block before this one; absent at index 0. */
  previous?: BlockId
  shards: ShardEntry[]
  /** The owner read everything; may be left to the owner's word to the leader. */
  last?: boolean
}

const purpose = 'manifest'
/** A bound on inputs as a whole: what 2^53 can count. */
const bytesMax = Number.MAX_SAFE_INTEGER

/** Throws PeerError when it is larger than a block: cut it into several. */
export function encodeManifest(manifest: Manifest, sign: Sign): Promise<Uint8Array> {
  const { job, index, previous, shards, last } = manifest
  const statement = {
    job: idOut(job),
    index,
    previous: previous === undefined ? null : idOut(previous),
    shards: shards.map(shard => [shard.items, shard.bytes, idsOut(shard.blocks)]),
    last: last ?? false,
  }
  return encodeSigned(purpose, statement, sign)
}

/** Throws PeerError: `protocol` when it is no manifest, `integrity` when `owner` did not sign it. */
export function decodeManifest(block: Uint8Array, verify: Verify, owner: PeerKey): Promise<Manifest> {
  return decodeSigned(purpose, block, verify, read, () => owner)
}

function read(statement: unknown): Manifest {
  const map = fields(statement, 'a manifest')
  const manifest: Manifest = {
    job: idIn(map.job, 'job'),
    index: whole(map.index, limits.shardsMax - 1, 'index'),
    shards: list(map.shards, limits.shardsMax, 'shards', shardIn),
    last: flag(map.last, 'last'),
  }
  if (map.previous !== null) manifest.previous = idIn(map.previous, 'previous')
  if ((manifest.index === 0) !== (manifest.previous === undefined)) {
    throw invalid('a manifest names the one before it, but for the first')
  }
  return manifest
}

function shardIn(value: unknown): ShardEntry {
  if (!Array.isArray(value) || value.length !== 3) throw invalid('a shard is items, bytes and blocks', value)
  return {
    items: whole(value[0], limits.shardItemsMax, 'items'),
    bytes: whole(value[1], bytesMax, 'bytes'),
    blocks: idsIn(value[2], limits.shardBlocksMax, 'blocks'),
  }
}
