/**
 * A fake of what a peer does besides talking. Computing a shard takes time on a lane and gives a block that is a hash of
 * the shard; merging concatenates. Both obey the same effects as the real ones.
 */
import { type BlockId, blockId, type PeerKey } from '../../src/base/ids.ts'
import type { Ballot, ShardResult } from '../../src/jobs/core/types.ts'

const utf8 = new TextEncoder()

/** What computing a shard gives, on whatever peer. */
export function resultBytes(job: string, shard: number): Uint8Array {
  return utf8.encode(`result of shard ${shard} of ${job}`)
}

/** What merging these blocks in this order gives. */
export function mergedId(parts: readonly BlockId[]): BlockId {
  return blockId(utf8.encode(parts.join('\n')))
}

export interface LanesInit {
  lanes: number
  elapsedMs: (shard: number) => number
  after: (delayMs: number, run: () => void) => void
  done: (shard: number, elapsedMs: number) => void
}

/** Shards wait for a free lane in the order in which they came. */
export function createLanes({ lanes, elapsedMs, after, done }: LanesInit) {
  const waiting: number[] = []
  const running = new Set<number>()

  function start(): void {
    while (running.size < lanes && waiting.length > 0) {
      const shard = waiting.shift()!
      const takesMs = elapsedMs(shard)
      running.add(shard)
      after(takesMs, () => {
        if (!running.delete(shard)) return
        done(shard, takesMs)
        start()
      })
    }
  }

  return {
    run(shard: number): void {
      if (waiting.includes(shard) || running.has(shard)) return
      waiting.push(shard)
      start()
    },
    abandon(shard: number): void {
      const at = waiting.indexOf(shard)
      if (at >= 0) waiting.splice(at, 1)
      running.delete(shard)
      start()
    },
    clear(): void {
      waiting.length = 0
      running.clear()
    },
  }
}

export interface MergerInit {
  /** The block can be had here, or from one of the holders. */
  has: (block: BlockId, holders: readonly PeerKey[]) => boolean
  lost: (shard: number) => void
  merged: (ballot: Ballot, parts: BlockId[]) => void
}

interface Merge {
  ballot: Ballot
  parts: BlockId[]
  early: Map<number, { result: ShardResult; holders: PeerKey[] }>
  shards?: number
}

/** One merge at a time; a newer ballot begins again. */
export function createMerger({ has, lost, merged }: MergerInit) {
  let merge: Merge | undefined

  function current(ballot: Ballot): Merge {
    if (merge?.ballot.counter !== ballot.counter || merge.ballot.peer !== ballot.peer) {
      merge = { ballot, parts: [], early: new Map() }
    }
    return merge
  }

  function proceed(one: Merge): void {
    for (let next = one.early.get(one.parts.length); next; next = one.early.get(one.parts.length)) {
      one.early.delete(one.parts.length)
      if (!has(next.result.block, next.holders)) return lost(one.parts.length)
      one.parts.push(next.result.block)
    }
    if (one.shards === one.parts.length) merged(one.ballot, one.parts)
  }

  return {
    shard(ballot: Ballot, result: ShardResult, holders: PeerKey[]): void {
      const one = current(ballot)
      one.early.set(result.shard, { result, holders })
      proceed(one)
    },
    end(ballot: Ballot, shards: number): void {
      const one = current(ballot)
      one.shards = shards
      proceed(one)
    },
    drop(): void {
      merge = undefined
    },
  }
}
