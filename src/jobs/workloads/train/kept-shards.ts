/**
 * Shards of a training where its device reads them, from round to round: decoded once, and not in memory twice.
 *
 * A round goes over all shards in one order, so that of more than there is room for the one used longest ago is the one that is
 * wanted next: what lies here stays, and what finds no room is decoded anew each round. A shard that nobody has asked for in
 * the last two rounds is another peer's by now, and makes room.
 * Invariant: what is kept was taken from the room, byte by byte, and is given back when it goes.
 */
import { createHash } from 'node:crypto'
import { readTableShard } from '../../../data/tables/shard-blocks.ts'
import type { TableShard } from '../../../data/tables/types.ts'
import type { Engine } from '../../../learn/device/engine.ts'
import type { KeepRoom } from '../workload.ts'

export interface HeldShard {
  shard: TableShard
  /** The rows that are held out of it, on the host. */
  held?: TableShard
  /** SHA-256 of the columns' names and the shard's blocks. */
  hash: () => string
}

export interface KeptShards {
  /** Whether `get` needs no blocks. */
  has(key: string): boolean
  /**
   * @param key absent: nothing is kept
   * @throws PeerError SHARD_INVALID
   */
  get(blocks: readonly Uint8Array[], round: number, key?: string): HeldShard
  close(): void
}

/** Rounds without being asked for, after which a shard makes room for another. */
const roundsUnused = 2

/**
 * @param room absent: nothing is kept
 * @param split absent: a shard is learnt from as a whole
 */
export function createKeptShards(
  engine: Engine,
  columns: readonly string[],
  room?: KeepRoom,
  split?: (shard: TableShard) => { learnt: TableShard; held: TableShard },
): KeptShards {
  const kept = new Map<string, { held: HeldShard; bytes: number; round: number }>()

  /** Where a shard is put together that the device copies: else there would be as much to collect as there is to keep. */
  let scratch = new Uint8Array(0)
  const scratchOf = (bytes: number): Uint8Array => {
    if (scratch.length < bytes) scratch = new Uint8Array(bytes)
    return scratch.subarray(0, bytes)
  }

  const drop = (key: string) => {
    const one = kept.get(key)
    if (!one) return
    kept.delete(key)
    engine.release(one.held.shard)
    room?.give(one.bytes)
  }

  const hasRoom = (bytes: number, round: number): boolean => {
    if (!room) return false
    if (room.take(bytes)) return true
    for (const [key, one] of kept) if (Math.abs(round - one.round) > roundsUnused) drop(key)
    return room.take(bytes)
  }

  return {
    has: key => kept.has(key),
    get(blocks, round, key) {
      const known = key === undefined ? undefined : kept.get(key)
      if (known) {
        known.round = round
        return known.held
      }
      if (key === undefined) {
        const whole = readTableShard(blocks, true)
        const parts = split?.(whole)
        return passing(parts?.learnt ?? whole, blocks, columns, parts?.held)
      }
      const whole = readTableShard(blocks, true, engine.copies ? scratchOf : undefined)
      const parts = split?.(whole)
      const shard = parts?.learnt ?? whole
      const bytes = bytesOf(whole)
      // With gaps it would lie here twice: as it came, and filled.
      const keep = !hasGaps(shard) && hasRoom(bytes, round)
      const here = keep ? engine.keep(shard) : shard
      const own = engine.copies && here === whole ? { ...shard, x: shard.x.slice() } : here
      if (!keep) return passing(own, blocks, columns, parts?.held)
      const held = staying(own, hashOf(blocks, columns), parts?.held)
      kept.set(key, { held, bytes, round })
      return held
    },
    close() {
      for (const key of [...kept.keys()]) drop(key)
    },
  }
}

/** Functions of their own, these two, so that no closure of a shard that stays keeps its blocks alive. */
function passing(
  shard: TableShard,
  blocks: readonly Uint8Array[],
  columns: readonly string[],
  held?: TableShard,
): HeldShard {
  return { shard, held, hash: () => hashOf(blocks, columns) }
}

function staying(shard: TableShard, hash: string, held?: TableShard): HeldShard {
  return { shard, held, hash: () => hash }
}

function hasGaps({ x }: TableShard): boolean {
  for (let at = 0; at < x.length; at++) if (Number.isNaN(x[at])) return true
  return false
}

function bytesOf({ x, label }: TableShard): number {
  if (!label) return x.byteLength
  return x.byteLength + (label.kind === 'class' ? label.codes : label.values).byteLength
}

function hashOf(blocks: readonly Uint8Array[], columns: readonly string[]): string {
  const hash = createHash('sha256').update(JSON.stringify(columns))
  for (const block of blocks) hash.update(block)
  return hash.digest('hex')
}
