/**
 * What a job leaves behind: when it is over, its inputs and intermediate results are freed here, and the
 * submitter brings the merged result home, so that it outlives the leader.
 */
import type { BlockId, JobId, PeerKey } from '../base/ids.ts'
import type { BlockStore } from '../data/store/types.ts'
import type { JobOutcome } from '../jobs/core/types.ts'
import type { BlockExchange } from './block-exchange.ts'
import type { JobBook } from './job-book.ts'
import { keepResult } from './results.ts'

export interface KeeperDeps {
  self: PeerKey
  store: BlockStore
  exchange: BlockExchange
  book: JobBook
}

export interface JobKeeper {
  /** A shard's result block is here now. */
  holds(job: JobId, block: BlockId): void
  ended(job: JobId, outcome: JobOutcome): Promise<void>
}

export function createJobKeeper({ self, store, exchange, book }: KeeperDeps): JobKeeper {
  const results = new Map<JobId, Set<BlockId>>()
  const running = new Set<JobId>()

  /** Blocks that another running job needs as well: the same folder may be submitted twice. */
  function shared(job: JobId): Set<BlockId> {
    const blocks = new Set<BlockId>()
    for (const other of running) {
      if (other === job) continue
      for (const shard of book.get(other)?.shards ?? []) for (const block of shard.blocks) blocks.add(block)
      for (const block of results.get(other) ?? []) blocks.add(block)
    }
    return blocks
  }

  return {
    holds(job, block) {
      running.add(job)
      const held = results.get(job)
      if (held) held.add(block)
      else results.set(job, new Set([block]))
    },

    async ended(job, outcome) {
      const record = book.get(job)
      if (record?.spec.submitter === self && outcome.result) {
        await keepResult(exchange, outcome.result, [outcome.ballot.peer])
      }
      running.delete(job)
      const needed = shared(job)
      const freed = new Set([...(results.get(job) ?? []), ...(record?.shards.flatMap(shard => shard.blocks) ?? [])])
      results.delete(job)
      if (record) record.shards = []
      for (const block of freed) if (!needed.has(block)) await store.delete(block)
    },
  }
}
