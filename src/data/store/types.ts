/** Content-addressed blocks: a block's id is the SHA-256 of its bytes, so a block is never wrong, only absent. */
import type { BlockId } from '../../base/ids.ts'

export interface BlockStore {
  /**
   * Idempotent; resolves once the block can be read back after a crash of this process. With `id`, which the caller
   * has computed from `bytes`, they become the store's: nothing is hashed or copied again, and nobody may write to them.
   */
  put(bytes: Uint8Array, id?: BlockId): Promise<BlockId>
  /**
   * Keeps a block that came from elsewhere, if it is what `id` says. Takes `bytes` over: use those that it resolves to,
   * undefined where they are another block's. Absent: hash them, and `put` them. Throws as `put` does.
   */
  take?(bytes: Uint8Array, id: BlockId): Promise<Uint8Array | undefined>
  /** The bytes, verified against the id when they come from disk; undefined when absent or damaged. */
  get(id: BlockId): Promise<Uint8Array | undefined>
  has(id: BlockId): Promise<boolean>
  delete(id: BlockId): Promise<void>
  /** Bytes held. */
  size(): Promise<number>
  /** What is held, without a look at the disk: damage shows when a block is read. */
  bytesOf(id: BlockId): number | undefined
  /** Every block held when it is called, the one unused for longest first. */
  list(): { id: BlockId; bytes: number }[]
  close(): Promise<void>
}

/** A file or message too large for one block: its bytes cut into blocks of `limits.blockBytes`. */
export interface BlockList {
  bytes: number
  blocks: BlockId[]
}
