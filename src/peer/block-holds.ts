/**
 * Which job needs which block, so that a block is freed when its last job is over and never before: the same
 * folder may be submitted twice, and the second job may begin while the first one ends.
 */
import { type BlockId, blockId, type JobId } from '../base/ids.ts'
import type { BlockStore } from '../data/store/types.ts'

export interface BlockHolds {
  /** Call it before the block is put or fetched; resolves when nothing is about to delete it. */
  hold(job: JobId, block: BlockId): Promise<void>
  /** The store, with all that is put held for `job`. */
  storeFor(job: JobId): Pick<BlockStore, 'put'>
  /** Frees what only this job held. */
  release(job: JobId): Promise<void>
}

export function createBlockHolds(store: BlockStore): BlockHolds {
  const holders = new Map<BlockId, Set<JobId>>()
  const held = new Map<JobId, Set<BlockId>>()
  const deleting = new Map<BlockId, Promise<void>>()

  async function hold(job: JobId, block: BlockId): Promise<void> {
    const jobs = holders.get(block)
    if (jobs) jobs.add(job)
    else holders.set(block, new Set([job]))
    const blocks = held.get(job)
    if (blocks) blocks.add(block)
    else held.set(job, new Set([block]))
    await deleting.get(block)
  }

  return {
    hold,
    storeFor: job => ({
      async put(bytes) {
        await hold(job, blockId(bytes))
        return store.put(bytes)
      },
    }),
    async release(job) {
      const blocks = held.get(job) ?? []
      held.delete(job)
      for (const block of blocks) {
        const jobs = holders.get(block)
        jobs?.delete(job)
        if (jobs?.size !== 0) continue
        holders.delete(block)
        const gone = store.delete(block).finally(() => deleting.delete(block))
        deleting.set(block, gone)
        await gone
      }
    },
  }
}
