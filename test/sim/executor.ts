/**
 * A fake of what a peer does besides talking: computing shards on lanes, which takes time, and merging what they give. Both
 * obey the same effects as the real ones.
 */
import type { BlockId, JobId, PeerKey } from '../../src/base/ids.ts'
import type { Ballot, RoundHead, ShardResult } from '../../src/jobs/core/types.ts'

export interface Work {
  job: JobId
  shard: number
  round?: RoundHead
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
    run(work: Work): void {
      const known = is(work.job, work.shard)
      if (waiting.some(known) || [...running].some(known)) return
      waiting.push(work)
      start()
    },
    abandon: (job: JobId, shard: number) => drop(is(job, shard)),
    end: (job: JobId) => drop(one => one.job === job),
  }
}

export interface MergerInit {
  /** The block, if it can be had here or from one of the holders. */
  get: (block: BlockId, holders: readonly PeerKey[]) => Uint8Array | undefined
  lost: (shard: number, round: RoundHead) => void
  merged: (ballot: Ballot, round: RoundHead, parts: Uint8Array[]) => void
}

interface Merge {
  ballot: Ballot
  round: RoundHead
  parts: Uint8Array[]
  early: Map<number, { result: ShardResult; holders: PeerKey[] }>
  shards?: number
}

/** One merge at a time; a newer ballot or another round begins again. */
export function createMerger({ get, lost, merged }: MergerInit) {
  let merge: Merge | undefined

  function current(ballot: Ballot, round: RoundHead): Merge {
    const same = merge?.ballot.counter === ballot.counter && merge.ballot.peer === ballot.peer
    if (!merge || !same || merge.round.round !== round.round || merge.round.params !== round.params) {
      merge = { ballot, round, parts: [], early: new Map() }
    }
    return merge
  }

  function proceed(one: Merge): void {
    for (let next = one.early.get(one.parts.length); next; next = one.early.get(one.parts.length)) {
      one.early.delete(one.parts.length)
      const bytes = get(next.result.block, next.holders)
      if (!bytes) return lost(one.parts.length, one.round)
      one.parts.push(bytes)
    }
    if (one.shards === one.parts.length) merged(one.ballot, one.round, one.parts)
  }

  return {
    shard(ballot: Ballot, round: RoundHead, result: ShardResult, holders: PeerKey[]): void {
      const one = current(ballot, round)
      one.early.set(result.shard, { result, holders })
      proceed(one)
    },
    end(ballot: Ballot, round: RoundHead, shards: number): void {
      const one = current(ballot, round)
      one.shards = shards
      proceed(one)
    },
    drop(): void {
      merge = undefined
    },
  }
}

export type SimMerger = ReturnType<typeof createMerger>
