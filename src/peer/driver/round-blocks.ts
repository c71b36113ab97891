/**
 * Blocks of an iterative job that a later round makes useless: the partials of earlier rounds, and all parameters but the
 * newest two, from which a successor can go on. Without this a job of a thousand rounds would keep a thousand copies.
 */
import type { BlockId, JobId } from '../../base/ids.ts'
import type { BlockHolds } from '../blocks/block-holds.ts'

export interface RoundBlocks {
  /** The block of a shard's result, or of a round's parameters, is here. */
  partial(job: JobId, block: BlockId): void
  parameters(job: JobId, block: BlockId): void
  /** The job went on to another round. */
  next(job: JobId): void
  /** The job is over: its blocks are its holder's to free. */
  end(job: JobId): void
}

const parametersKept = 2

export function createRoundBlocks(holds: Pick<BlockHolds, 'unhold'>): RoundBlocks {
  const jobs = new Map<JobId, { partials: Set<BlockId>; parameters: BlockId[] }>()

  function of(job: JobId) {
    let blocks = jobs.get(job)
    if (!blocks) {
      blocks = { partials: new Set(), parameters: [] }
      jobs.set(job, blocks)
    }
    return blocks
  }

  return {
    partial: (job, block) => void of(job).partials.add(block),
    parameters(job, block) {
      const { parameters } = of(job)
      if (parameters.at(-1) !== block) parameters.push(block)
    },
    next(job) {
      const blocks = of(job)
      const kept = blocks.parameters.slice(-parametersKept)
      const old = [...blocks.partials, ...blocks.parameters].filter(block => !kept.includes(block))
      blocks.partials.clear()
      blocks.parameters = kept
      void holds.unhold(job, old).catch(() => {}) // what stays is freed when the job is over
    },
    end: job => void jobs.delete(job),
  }
}
