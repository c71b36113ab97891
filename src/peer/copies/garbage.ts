/**
 * What is freed on a peer's disk: blocks that no job needs (left by a peer that was killed, or by a job that was given up
 * while this peer was off), and jobs whose time is over. Invariant: a block that any remembered job holds or uses stays.
 */
import type { JobId } from '../../base/ids.ts'
import type { BlockStore } from '../../data/store/types.ts'
import type { BlockHolds } from '../blocks/block-holds.ts'
import type { GcReport, GcRequest } from '../control.ts'
import type { Drops } from './drops.ts'

export interface GarbageDeps {
  store: BlockStore
  holds: BlockHolds
  drops: Drops
  /** Jobs that ended longer than `ms` ago. */
  endedBefore: (ms: number) => JobId[]
  retentionMs: number
}

export interface Garbage {
  collect(request: GcRequest): Promise<GcReport>
  /** Frees the blocks that belong to no job; resolves to how many and how much. */
  sweep(): Promise<{ blocks: number; bytes: number }>
}

export function createGarbage({ store, holds, drops, endedBefore, retentionMs }: GarbageDeps): Garbage {
  async function sweep() {
    const freed = { blocks: 0, bytes: 0 }
    for (const { id, bytes } of holds.orphans()) {
      if (!(await holds.discard(id))) continue
      freed.blocks++
      freed.bytes += bytes
    }
    return freed
  }

  function measure() {
    const orphans = holds.orphans()
    return { blocks: orphans.length, bytes: orphans.reduce((sum, { bytes }) => sum + bytes, 0) }
  }

  return {
    sweep,
    async collect({ dryRun, olderThanMs = retentionMs }) {
      const jobs = endedBefore(olderThanMs)
        .filter(job => !drops.has(job))
        .map(job => ({ job, bytes: holds.bytes(job).all }))
      if (!dryRun) await drops.drop(jobs.map(({ job }) => job))
      const orphans = dryRun ? measure() : await sweep()
      const bytes = await store.size()
      return { jobs, orphans, kept: { bytes, evictable: bytes - holds.pinnedBytes() }, dryRun }
    },
  }
}
