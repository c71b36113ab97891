/** The blocks used last, in memory. Invariant: never more than `bytesMax` bytes; the longest unused goes first. */
import type { BlockId } from '../../base/ids.ts'

export interface BlockCache {
  get(id: BlockId): Uint8Array | undefined
  /** Keeps `bytes` itself: the caller gives it away. A block larger than the whole cache is not kept. */
  set(id: BlockId, bytes: Uint8Array): void
  delete(id: BlockId): void
  clear(): void
}

export function createBlockCache(bytesMax: number): BlockCache {
  // A Map iterates in order of insertion: the first key is the one unused for longest.
  const blocks = new Map<BlockId, Uint8Array>()
  let held = 0
  const remove = (id: BlockId) => {
    held -= blocks.get(id)?.length ?? 0
    blocks.delete(id)
  }
  return {
    get(id) {
      const bytes = blocks.get(id)
      if (bytes) {
        blocks.delete(id)
        blocks.set(id, bytes)
      }
      return bytes
    },
    set(id, bytes) {
      if (bytes.length > bytesMax) return
      remove(id)
      blocks.set(id, bytes)
      held += bytes.length
      for (const oldest of blocks.keys()) {
        if (held <= bytesMax) break
        remove(oldest)
      }
    },
    delete: remove,
    clear() {
      blocks.clear()
      held = 0
    },
  }
}
