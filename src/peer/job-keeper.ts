/**
 * What a job leaves behind: when it is over, its inputs and intermediate results are freed here, and the
 * submitter brings the merged result home, so that it outlives the leader.
 */
import type { JobId, PeerKey } from '../base/ids.ts'
import type { JobOutcome } from '../jobs/core/types.ts'
import type { BlockExchange } from './block-exchange.ts'
import type { BlockHolds } from './block-holds.ts'
import type { JobBook } from './job-book.ts'
import { keepResult } from './results.ts'

export interface KeeperDeps {
  self: PeerKey
  exchange: BlockExchange
  holds: BlockHolds
  book: JobBook
}

export interface JobKeeper {
  ended(job: JobId, outcome: JobOutcome): Promise<void>
  /** Resolves once what ended jobs leave to do is done. */
  settled(): Promise<void>
}

export function createJobKeeper({ self, exchange, holds, book }: KeeperDeps): JobKeeper {
  const pending = new Set<Promise<void>>()

  async function end(job: JobId, outcome: JobOutcome): Promise<void> {
    try {
      if (book.get(job)?.spec.submitter === self && outcome.result) {
        await keepResult(exchange, outcome.result, [outcome.ballot.peer])
      }
    } finally {
      book.close(job)
      await holds.release(job)
    }
  }

  return {
    ended(job, outcome) {
      const work = end(job, outcome)
      pending.add(work)
      return work.finally(() => pending.delete(work))
    },
    async settled() {
      await Promise.allSettled(pending)
    },
  }
}
