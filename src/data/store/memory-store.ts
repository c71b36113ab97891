/**
 * Blocks in memory, for tests and for a peer that keeps nothing. Invariant: what is kept is a copy, so an id
 * always names the bytes that it was computed from.
 */
import { type BlockId, blockId } from '../../base/ids.ts'
import { checkBlockSize } from './errors.ts'
import type { BlockStore } from './types.ts'

/** A store that lives as long as the process. The bytes that `get` returns are the store's: do not write to them. */
export function createMemoryStore(): BlockStore {
  const blocks = new Map<BlockId, Uint8Array>()
  let held = 0
  return {
    async put(bytes, known) {
      checkBlockSize(bytes)
      const id = known ?? blockId(bytes)
      if (!blocks.has(id)) {
        blocks.set(id, known ? bytes : bytes.slice())
        held += bytes.length
      }
      return id
    },
    get: async id => blocks.get(id),
    has: async id => blocks.has(id),
    async delete(id) {
      held -= blocks.get(id)?.length ?? 0
      blocks.delete(id)
    },
    size: async () => held,
    bytesOf: id => blocks.get(id)?.length,
    list: () => [...blocks].map(([id, bytes]) => ({ id, bytes: bytes.length })),
    async close() {
      blocks.clear()
      held = 0
    },
  }
}
