/**
 * Which job needs which block, so that a block is freed when its last job is over and never before: the same
 * folder may be submitted twice, and the second job may begin while the first one ends. A block that a job holds is
 * pinned: it stays on disk whatever the cache's bound. One that it only uses, others have too: it may go earlier.
 */
import { type BlockId, blockId, type JobId } from '../../base/ids.ts'
import type { BlockStore } from '../../data/store/types.ts'

export interface BlockHolds {
  /** Call it before the block is put or fetched; resolves when nothing is about to delete it. */
  hold(job: JobId, block: BlockId): Promise<void>
  /** As `hold`, for a block that can be fetched again. */
  use(job: JobId, block: BlockId): Promise<void>
  /** The store, with all that is put held for `job`. */
  storeFor(job: JobId): Pick<BlockStore, 'put'>
  /** Frees what only this job held or used, but for `keep`, which it goes on holding. Resolves to the bytes freed. */
  release(job: JobId, keep?: Iterable<BlockId>): Promise<number>
  /** The job needs these no more; what no other job wants is freed. Resolves to the bytes freed. */
  unhold(job: JobId, blocks: Iterable<BlockId>): Promise<number>
  /** Whether the job holds the block, and does not only use it. */
  held(job: JobId, block: BlockId): boolean
  /** Whether some job holds the block. */
  pinned(block: BlockId): boolean
  /** Bytes here that may not go. */
  pinnedBytes(): number
  /** Bytes of the blocks here that the job holds, and of those that it holds or uses. */
  bytes(job: JobId): { held: number; all: number }
  /** Blocks that no job holds or uses. */
  orphans(): { id: BlockId; bytes: number }[]
  /** Deletes a block unless some job wants it by now; true when it is gone. */
  discard(block: BlockId): Promise<boolean>
}

export function createBlockHolds(store: BlockStore): BlockHolds {
  /** Nearly every block belongs to one job alone, which is then the value itself: a set costs 200 bytes. */
  const jobsOf = new Map<BlockId, JobId | Set<JobId>>()
  /** True: held. */
  const blocksOf = new Map<JobId, Map<BlockId, boolean>>()
  const deleting = new Map<BlockId, Promise<void>>()
  const pins = new Map<BlockId, number>()

  function pin(block: BlockId, by: 1 | -1): void {
    const count = (pins.get(block) ?? 0) + by
    if (count > 0) pins.set(block, count)
    else pins.delete(block)
  }

  function note(job: JobId, block: BlockId, held: boolean): Promise<void> | undefined {
    const jobs = jobsOf.get(block)
    if (jobs === undefined) jobsOf.set(block, job)
    else if (jobs instanceof Set) jobs.add(job)
    else if (jobs !== job) jobsOf.set(block, new Set([jobs, job]))
    let blocks = blocksOf.get(job)
    if (!blocks) {
      blocks = new Map()
      blocksOf.set(job, blocks)
    }
    const before = blocks.get(block)
    if (held && !before) pin(block, 1)
    blocks.set(block, held || before === true)
    return deleting.get(block)
  }

  async function discard(block: BlockId): Promise<boolean> {
    if (jobsOf.has(block)) return false
    const gone = store.delete(block).finally(() => deleting.delete(block))
    deleting.set(block, gone)
    await gone
    return true
  }

  async function unhold(job: JobId, unwanted: Iterable<BlockId>): Promise<number> {
    const blocks = blocksOf.get(job)
    let freed = 0
    for (const block of unwanted) {
      const held = blocks?.get(block)
      if (!blocks || held === undefined) continue
      blocks.delete(block)
      if (held) pin(block, -1)
      const jobs = jobsOf.get(block)
      if (jobs instanceof Set) jobs.delete(job)
      if (jobs instanceof Set ? jobs.size > 0 : jobs !== job) continue
      jobsOf.delete(block)
      const bytes = store.bytesOf(block) ?? 0
      if (await discard(block)) freed += bytes
    }
    if (blocks?.size === 0 && blocksOf.get(job) === blocks) blocksOf.delete(job)
    return freed
  }

  return {
    async hold(job, block) {
      await note(job, block, true)
    },
    async use(job, block) {
      await note(job, block, false)
    },
    storeFor: job => ({
      async put(bytes) {
        await note(job, blockId(bytes), true)
        return store.put(bytes)
      },
    }),
    unhold,
    async release(job, keep = []) {
      const kept = new Set(keep)
      for (const block of kept) await note(job, block, true)
      return unhold(
        job,
        [...(blocksOf.get(job)?.keys() ?? [])].filter(block => !kept.has(block)),
      )
    },
    held: (job, block) => blocksOf.get(job)?.get(block) === true,
    pinned: block => pins.has(block),
    pinnedBytes() {
      let bytes = 0
      for (const block of pins.keys()) bytes += store.bytesOf(block) ?? 0
      return bytes
    },
    bytes(job) {
      const sum = { held: 0, all: 0 }
      for (const [block, held] of blocksOf.get(job) ?? []) {
        const bytes = store.bytesOf(block) ?? 0
        sum.all += bytes
        if (held) sum.held += bytes
      }
      return sum
    },
    orphans: () => store.list().filter(({ id }) => !jobsOf.has(id)),
    discard,
  }
}
