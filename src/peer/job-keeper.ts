/**
 * What a job leaves behind. When it is over, its inputs and intermediate results are freed here; the merged result stays
 * with the leader, who wrote it, and the submitter brings it home. After a restart what each job needs is held again
 * before anything is swept.
 */
import { PeerError } from '../base/errors.ts'
import type { BlockId, JobId, PeerKey } from '../base/ids.ts'
import type { JobOutcome } from '../jobs/core/types.ts'
import { workloads } from '../jobs/workloads/workloads.ts'
import type { BlockExchange } from './block-exchange.ts'
import type { BlockHolds } from './block-holds.ts'
import type { JobBook, JobRecord } from './job-book.ts'
import type { KeptJob } from './journal.ts'
import { keepResult, resultHere } from './results.ts'

export interface KeeperDeps {
  self: PeerKey
  exchange: BlockExchange
  holds: BlockHolds
  book: JobBook
}

export interface JobKeeper {
  ended(job: JobId, outcome: JobOutcome): Promise<void>
  /** Holds again what a job needs that was kept over a restart. */
  restore(kept: KeptJob): Promise<void>
  /** Resolves once what ended jobs leave to do is done. */
  settled(): Promise<void>
}

export function createJobKeeper({ self, exchange, holds, book }: KeeperDeps): JobKeeper {
  const pending = new Set<Promise<void>>()

  /** The blocks of the result that stay here, for good: with the leader and with the submitter. */
  async function keep(job: JobId, outcome: JobOutcome): Promise<BlockId[]> {
    if (!outcome.result) return []
    if (book.get(job)?.spec.submitter === self) return keepResult(exchange, outcome.result, [outcome.ballot.peer])
    return outcome.ballot.peer === self ? resultHere(exchange, outcome.result) : []
  }

  async function end(job: JobId, outcome: JobOutcome): Promise<void> {
    let kept: BlockId[] = []
    try {
      kept = await keep(job, outcome)
    } finally {
      book.close(job)
      // The spec stays as long as the job is remembered: it says what the job was.
      await holds.release(job, [job, ...kept])
    }
  }

  async function holdInputs(job: JobId, record: JobRecord): Promise<void> {
    const mine = record.spec.submitter === self
    const note = mine ? holds.hold : holds.use
    for (const shard of record.shards) for (const block of shard.blocks) await note(job, block)
    for (const file of (await workloads(record.spec.workload)).files(record.spec.body)) {
      for (const block of file.blocks) await note(job, block)
    }
  }

  return {
    ended(job, outcome) {
      const work = end(job, outcome)
      pending.add(work)
      return work.finally(() => pending.delete(work))
    },
    async restore({ job, kept, results }) {
      const record = await book.restore(job, kept.outcome ? { count: 0 } : kept.known)
      const { outcome } = kept
      if (outcome) {
        const mine = kept.owner === self || outcome.ballot.peer === self
        if (mine && outcome.result) await holds.release(job, [job, ...(await resultHere(exchange, outcome.result))])
        return
      }
      for (const { block } of results) await holds.hold(job, block)
      try {
        if (record) await holdInputs(job, record)
      } catch (thrown) {
        if (!(thrown instanceof PeerError)) throw thrown // a workload of another version: nothing of it runs here
      }
    },
    async settled() {
      await Promise.allSettled(pending)
    },
  }
}
