/** Where a store on disk has its blocks' bytes: files for large ones, records for small ones. Knows nothing of hashes. */
import type { BlockId } from '../../base/ids.ts'

export interface TakenBytes {
  bytes: Uint8Array
  /** They are what the id says. */
  matches: boolean
  /** And they can be read back after a crash of this process; else `write` says why not. */
  written: boolean
}

export interface BlockPlace {
  /** Whole or not at all; resolves once the bytes can be read back after a crash of this process. */
  write(id: BlockId, bytes: Uint8Array): Promise<void>
  /** Hashes as well, on another thread; absent where that is not worth it. Takes `bytes` over, and gives them back. */
  take?(id: BlockId, bytes: Uint8Array): Promise<TakenBytes>
  /** Whether bytes of this length are here. */
  holds(id: BlockId, length: number): Promise<boolean>
  /** Undefined when there are none; bytes of no right length when they are damaged. */
  read(id: BlockId): Promise<Uint8Array | undefined>
  /** Removing what is not there does no harm. */
  remove(id: BlockId): Promise<void>
  /** What is here and how long, the one written longest ago first where that is known. */
  list(): Promise<{ id: BlockId; bytes: number }[]>
  close(): Promise<void>
}
