/**
 * The leader's merging, one chain a job: result blocks in shard order into the workload's merger, in
 * bounded memory. A merge belongs to one ballot; a newer one begins again from the first shard.
 */
import { PeerError } from '../base/errors.ts'
import type { BlockId, JobId, PeerKey } from '../base/ids.ts'
import type { Ballot, ShardResult } from '../jobs/core/types.ts'
import type { Merger, MergeSink } from '../jobs/workloads/workload.ts'
import { workloads } from '../jobs/workloads/workloads.ts'
import type { BlockExchange } from './block-exchange.ts'
import type { JobBook } from './job-book.ts'

export interface MergeDeps {
  book: JobBook
  exchange: BlockExchange
  /** Where the merged result of a job goes. */
  sink: (job: JobId) => MergeSink
  /** Runs what needs room on the disk, again once there is some. */
  patiently: <T>(work: () => Promise<T>) => Promise<T>
  merged: (job: JobId, ballot: Ballot, result: BlockId) => void
  failed: (job: JobId, ballot: Ballot, reason: string) => void
  /** The block is nowhere: the shard must be computed again, and comes once more. */
  lost: (job: JobId, shard: number) => void
}

export interface MergeRunner {
  shard(job: JobId, ballot: Ballot, result: ShardResult, holders: PeerKey[]): void
  /** All `shards` were handed over; finishes once all are merged, and not before one that was lost came again. */
  end(job: JobId, ballot: Ballot, shards: number): void
  drop(job: JobId): void
}

interface Merge {
  ballot: Ballot
  merger: Promise<Merger>
  chain: Promise<void>
  /** The shard that must come next; others wait in `early`, which the core keeps short. */
  next: number
  early: Map<number, { result: ShardResult; holders: PeerKey[] }>
  dropped: boolean
}

export function createMergeRunner(deps: MergeDeps): MergeRunner {
  const merges = new Map<JobId, Merge>()

  function current(job: JobId, ballot: Ballot): Merge {
    const known = merges.get(job)
    if (known && known.ballot.counter === ballot.counter && known.ballot.peer === ballot.peer) return known
    if (known) known.dropped = true
    const merger = (async () => {
      const record = deps.book.get(job)
      if (!record) throw new PeerError({ code: 'JOB_UNKNOWN', kind: 'protocol', message: 'the job is unknown here' })
      return (await workloads(record.spec.workload)).merger(record.spec.body, deps.sink(job))
    })()
    merger.catch(() => {}) // the first shard reports it
    const fresh: Merge = { ballot, merger, chain: Promise.resolve(), next: 0, early: new Map(), dropped: false }
    merges.set(job, fresh)
    return fresh
  }

  async function addReady(job: JobId, merge: Merge): Promise<void> {
    for (;;) {
      const ready = merge.early.get(merge.next)
      if (!ready || merge.dropped) return
      merge.early.delete(merge.next)
      let block: Uint8Array
      try {
        block = await deps.patiently(() => deps.exchange.get(ready.result.block, ready.holders))
      } catch {
        if (!merge.dropped) deps.lost(job, merge.next)
        return
      }
      await (await merge.merger).add(block)
      merge.next++
    }
  }

  function enqueue(job: JobId, merge: Merge, step: () => Promise<void>): void {
    merge.chain = merge.chain.then(step).catch((thrown: unknown) => {
      if (merge.dropped) return
      merge.dropped = true
      deps.failed(job, merge.ballot, thrown instanceof Error ? thrown.message : String(thrown))
    })
  }

  return {
    shard(job, ballot, result, holders) {
      const merge = current(job, ballot)
      merge.early.set(result.shard, { result, holders })
      enqueue(job, merge, () => addReady(job, merge))
    },
    end(job, ballot, shards) {
      const merge = current(job, ballot)
      enqueue(job, merge, async () => {
        // A shard was lost meanwhile: the core asks for the end again once it has it.
        if (merge.dropped || merge.next < shards) return
        const root = await (await merge.merger).end()
        if (!merge.dropped) deps.merged(job, ballot, root)
      })
    },
    drop(job) {
      const merge = merges.get(job)
      if (merge) merge.dropped = true
      merges.delete(job)
    },
  }
}
