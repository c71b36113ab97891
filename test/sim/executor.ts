/**
 * A fake of what a peer does besides talking. Computing a shard takes time on a lane and gives a block that is a hash of
 * the shard; merging concatenates. Both obey the same effects as the real ones.
 */
import { type BlockId, blockId, type JobId, type PeerKey } from '../../src/base/ids.ts'
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

interface Work {
  job: JobId
  shard: number
}

export interface LanesInit {
  lanes: number
  elapsedMs: (work: Work) => number
  after: (delayMs: number, run: () => void) => void
  done: (work: Work, elapsedMs: number) => void
}

/** Shards wait for a free lane in the order in which they came, whatever their job. */
export function createLanes({ lanes, elapsedMs, after, done }: LanesInit) {
  let waiting: Work[] = []
  const running = new Set<Work>()
  const is = (job: JobId, shard: number) => (one: Work) => one.job === job && one.shard === shard

  function start(): void {
    while (running.size < lanes && waiting.length > 0) {
      const work = waiting.shift()!
      const takesMs = elapsedMs(work)
      running.add(work)
      after(takesMs, () => {
        if (!running.delete(work)) return
        done(work, takesMs)
        start()
      })
    }
  }

  function drop(matches: (work: Work) => boolean): void {
    waiting = waiting.filter(one => !matches(one))
    for (const one of running) if (matches(one)) running.delete(one)
    start()
  }

  return {
    run(job: JobId, shard: number): void {
      if (waiting.some(is(job, shard)) || [...running].some(is(job, shard))) return
      waiting.push({ job, shard })
      start()
    },
    abandon: (job: JobId, shard: number) => drop(is(job, shard)),
    end: (job: JobId) => drop(one => one.job === job),
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

export type SimMerger = ReturnType<typeof createMerger>
