/**
 * Blocks on disk: large ones as files, small ones as records. Invariant: what the disk damaged is found by its hash,
 * removed, and can be put again. A killed process loses no block that was put. None is forced to the disk one by one:
 * what a power failure takes is found missing or damaged, and fetched or computed again.
 */
import { join } from 'node:path'
import { type BlockId, blockId, isBlockId } from '../../base/ids.ts'
import { createBlockCache } from './block-cache.ts'
import { openBlockFiles } from './block-files.ts'
import type { BlockPlace } from './block-place.ts'
import { openBlockRecords } from './block-records.ts'
import { checkBlockSize, storeError } from './errors.ts'
import type { BlockStore } from './types.ts'

export interface DiskStoreInit {
  /** Blocks kept in memory as well; 0 keeps none. Default 64 MiB. */
  cacheBytes?: number
  /** Beyond so many bytes on disk the blocks unused for longest go, unless they are pinned. Default: no bound. */
  bytesMax?: number
  /** Blocks that are not to go, whatever the bound. */
  pinned?: (id: BlockId) => boolean
  /** Blocks of at most so many bytes are records and not files; default 0: all are files. */
  smallBytesMax?: number
  /** Writes a file; tests give one that fails as a full disk does. */
  write?: (file: string, bytes: Uint8Array) => Promise<void>
  /** A line for the user: records were damaged. */
  onWarning?: (line: string) => void
}

/** Below this the way to the thread that writes takes longer than the hash. */
const takenBytesMin = 128 * 1024

/** Pinned blocks looked at by one put in search of one that may go; they then count as used. */
const evictionScan = 64

/**
 * Opens, and makes where needed, the store in `folder`. One process at a time has a folder. The bytes that `get` returns
 * are the store's: do not write to them. Throws PeerError of kind `resource` when the folder cannot be used or the disk
 * is full.
 */
export async function openDiskStore(folder: string, init: DiskStoreInit = {}): Promise<BlockStore> {
  const cache = createBlockCache(init.cacheBytes ?? 64 * 1024 * 1024)
  const bytesMax = init.bytesMax ?? Number.POSITIVE_INFINITY
  const pinned = init.pinned ?? (() => false)
  const smallBytesMax = init.smallBytesMax ?? 0
  /** In the order of their last use: a Map iterates in order of insertion. */
  const index = new Map<BlockId, number>()
  const smallOnes = new Set<BlockId>()
  let held = 0
  let files: BlockPlace
  let records: BlockPlace | undefined
  try {
    files = await openBlockFiles(folder, init.write)
    if (smallBytesMax > 0) records = await openBlockRecords(join(folder, 'small'), init.onWarning ?? (() => {}))
    const small = (await records?.list()) ?? []
    const large = await files.list()
    for (const { id } of small) smallOnes.add(id)
    for (const { id, bytes } of [...small, ...large.filter(one => !smallOnes.has(one.id))]) {
      index.set(id, bytes)
      held += bytes
    }
  } catch (thrown) {
    throw storeError(folder, thrown)
  }
  const placeOf = (id: BlockId) => (records && smallOnes.has(id) ? records : files)
  const writing = new Map<BlockId, Promise<void>>()

  const record = (id: BlockId, bytes: number | undefined): void => {
    held += (bytes ?? 0) - (index.get(id) ?? 0)
    index.delete(id)
    if (bytes !== undefined) index.set(id, bytes)
  }
  const used = (id: BlockId): void => {
    const bytes = index.get(id)
    if (bytes !== undefined) record(id, bytes)
  }

  /** Frees `bytes` of what was not used for longest; false when nothing of what it looked at may go. */
  const evict = async (bytes: number, scan = evictionScan): Promise<boolean> => {
    let freed = 0
    let looked = 0
    for (const [id, size] of index) {
      if (freed >= bytes || ++looked > scan) break
      if (pinned(id) || writing.has(id)) used(id)
      else {
        await remove(id)
        freed += size
      }
    }
    return freed > 0
  }

  const written = async (id: BlockId, bytes: number): Promise<void> => {
    record(id, bytes)
    if (held > bytesMax) await evict(held - bytesMax)
  }

  const write = async (id: BlockId, bytes: Uint8Array): Promise<void> => {
    if (records && bytes.length <= smallBytesMax && !index.has(id)) smallOnes.add(id)
    const here = index.has(id) && (smallOnes.has(id) || (await placeOf(id).holds(id, bytes.length)))
    if (!here) await placeOf(id).write(id, bytes)
    await written(id, bytes.length)
  }

  /** On a full disk what is only cached makes room first. */
  const writeMakingRoom = async (id: BlockId, bytes: Uint8Array): Promise<void> => {
    for (;;) {
      try {
        return await write(id, bytes)
      } catch (thrown) {
        const full = storeError(folder, thrown).code === 'STORE_FULL'
        if (!full || !(await evict(bytes.length, index.size))) throw thrown
      }
    }
  }

  const forget = (id: BlockId): void => {
    cache.delete(id)
    smallOnes.delete(id)
    record(id, undefined)
  }

  const remove = async (id: BlockId): Promise<void> => {
    cache.delete(id)
    await placeOf(id).remove(id)
    forget(id)
  }

  /** Hashed and written on the other thread; undefined for another block's bytes. */
  const takeFile = async (id: BlockId, bytes: Uint8Array): Promise<Uint8Array | undefined> => {
    const taken = await files.take?.(id, bytes)
    if (!taken?.matches) return undefined
    // A full disk makes room, and says what is wrong, the other way.
    if (taken.written) await written(id, taken.bytes.length)
    else await writeMakingRoom(id, taken.bytes)
    return taken.bytes
  }

  const guarded = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (thrown) {
      throw storeError(folder, thrown)
    }
  }

  const store: BlockStore = {
    async put(bytes, known) {
      checkBlockSize(bytes)
      const id = known ?? blockId(bytes)
      let work = writing.get(id)
      if (!work) {
        work = writeMakingRoom(id, bytes).finally(() => writing.delete(id))
        writing.set(id, work)
      }
      await guarded(work)
      if (!cache.get(id)) cache.set(id, known ? bytes : bytes.slice()) // a copy: the caller may go on with its buffer
      return id
    },
    async take(bytes, id) {
      checkBlockSize(bytes)
      const whole = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer
      const worth = bytes.byteLength >= Math.max(takenBytesMin, smallBytesMax + 1) && whole && files.take
      if (!worth || index.has(id) || writing.has(id)) {
        if (blockId(bytes) !== id) return undefined
        await store.put(bytes, id)
        return bytes
      }
      const work = takeFile(id, bytes)
      writing.set(
        id,
        work.then(() => {}).finally(() => writing.delete(id)),
      )
      writing.get(id)?.catch(() => {}) // it is this call's
      const taken = await guarded(work)
      if (taken) cache.set(id, taken)
      return taken
    },
    async get(id) {
      const cached = cache.get(id)
      if (cached) used(id)
      // One process at a time has the folder: what is not in the index is not there.
      if (cached || !isBlockId(id) || !index.has(id)) return cached
      const bytes = await guarded(placeOf(id).read(id))
      if (!bytes) {
        forget(id)
        return undefined
      }
      if (blockId(bytes) !== id) {
        // Gone from here on, so that `has` tells the truth and the block can be put again.
        await remove(id).catch(() => forget(id)) // a disk that takes nothing does not give up anything either
        return undefined
      }
      cache.set(id, bytes)
      record(id, bytes.length)
      return bytes
    },
    has: async id => index.has(id),
    async delete(id) {
      if (isBlockId(id)) await guarded(remove(id))
    },
    size: async () => held,
    bytesOf: id => index.get(id),
    list: () => [...index].map(([id, bytes]) => ({ id, bytes })),
    async close() {
      await Promise.allSettled(writing.values())
      await records?.close()
      await files.close()
      cache.clear()
    },
  }
  return store
}
