/**
 * Blocks on disk, `folder/ab/abcd…`: one file a block, named by its id. Invariant: a file under its final name is
 * whole, because it was written under another name and renamed; what the disk damaged later is found by its hash,
 * removed, and can be put again. A killed process loses no block that was put. None is forced to the disk one by one:
 * what a power failure takes is found missing or damaged, and fetched or computed again.
 */
import { mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type BlockId, blockId, isBlockId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { createBlockCache } from './block-cache.ts'
import { checkBlockSize, storeError, systemCode } from './errors.ts'
import type { BlockStore } from './types.ts'

export interface DiskStoreInit {
  /** Blocks kept in memory as well; 0 keeps none. Default 64 MiB. */
  cacheBytes?: number
  /** Beyond so many bytes on disk the blocks unused for longest go, unless they are pinned. Default: no bound. */
  bytesMax?: number
  /** Blocks that are not to go, whatever the bound. */
  pinned?: (id: BlockId) => boolean
  /** Writes a file; tests give one that fails as a full disk does. */
  write?: (file: string, bytes: Uint8Array) => Promise<void>
}

/** Pinned blocks looked at by one put in search of one that may go; they then count as used. */
const evictionScan = 64

/** A file half written by a process that died is surely abandoned after this long. */
const abandonedMs = 60 * 60 * 1000

/**
 * Opens, and makes where needed, the store in `folder`. One process at a time has a folder. The bytes that `get` returns are the store's: do not
 * write to them. Throws PeerError of kind `resource` when the folder cannot be used or the disk is full.
 */
export async function openDiskStore(folder: string, init: DiskStoreInit = {}): Promise<BlockStore> {
  const cache = createBlockCache(init.cacheBytes ?? 64 * 1024 * 1024)
  const bytesMax = init.bytesMax ?? Number.POSITIVE_INFINITY
  const pinned = init.pinned ?? (() => false)
  const writeFile = init.write ?? writeWhole
  const temporary = join(folder, 'tmp')
  /** In the order of their last use: a Map iterates in order of insertion. */
  let index: Map<BlockId, number>
  let held = 0
  try {
    await mkdir(temporary, { recursive: true })
    await removeAbandoned(temporary)
    index = await measure(folder)
    for (const bytes of index.values()) held += bytes
    // Found out now rather than after hours of work.
    await writeWhole(join(temporary, `probe-${process.pid}`), new Uint8Array(1))
    await unlink(join(temporary, `probe-${process.pid}`))
  } catch (thrown) {
    throw storeError(folder, thrown)
  }

  const shelves = new Set<string>()
  const writing = new Map<BlockId, Promise<void>>()
  let names = 0
  const place = (id: BlockId) => join(folder, id.slice(0, 2), id)

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

  const write = async (id: BlockId, bytes: Uint8Array): Promise<void> => {
    const file = place(id)
    const present = await fileBytes(file)
    if (present === bytes.length) return record(id, present)
    const shelf = id.slice(0, 2)
    if (!shelves.has(shelf)) {
      await mkdir(join(folder, shelf), { recursive: true })
      shelves.add(shelf)
    }
    const draft = join(temporary, `${process.pid}-${names++}`)
    try {
      await writeFile(draft, bytes)
      await rename(draft, file)
    } catch (thrown) {
      await unlink(draft).catch(() => {}) // it may not even exist; the first error is the one that matters
      shelves.delete(shelf)
      throw thrown
    }
    record(id, bytes.length)
    if (held > bytesMax) await evict(held - bytesMax)
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

  const remove = async (id: BlockId): Promise<void> => {
    cache.delete(id)
    try {
      await unlink(place(id))
    } catch (thrown) {
      if (systemCode(thrown) !== 'ENOENT') throw thrown // another call was quicker
    }
    record(id, undefined)
  }

  const guarded = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (thrown) {
      throw storeError(folder, thrown)
    }
  }

  return {
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
    async get(id) {
      const cached = cache.get(id)
      if (cached) used(id)
      if (cached || !isBlockId(id)) return cached
      const bytes = await guarded(readBounded(place(id)))
      if (!bytes) {
        record(id, undefined)
        return undefined
      }
      if (blockId(bytes) !== id) {
        // Gone from here on, so that `has` tells the truth and the block can be put again.
        await guarded(remove(id))
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
      cache.clear()
    },
  }
}

async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'w', 0o600)
  try {
    await handle.writeFile(bytes)
  } finally {
    await handle.close()
  }
}

/** A file's size; undefined when there is none. */
async function fileBytes(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size
  } catch (thrown) {
    if (systemCode(thrown) === 'ENOENT') return undefined
    throw thrown
  }
}

/** A file's bytes, at most one more than a block may have; undefined when there is none or the disk cannot read it. */
async function readBounded(file: string): Promise<Uint8Array | undefined> {
  try {
    const size = await fileBytes(file)
    if (size === undefined) return undefined
    if (size > limits.blockBytesMax) return new Uint8Array(0)
    return await readFile(file)
  } catch (thrown) {
    const code = systemCode(thrown)
    if (code === 'ENOENT') return undefined
    if (code === 'EIO') return new Uint8Array(0) // a bad sector is damage like any other
    throw thrown
  }
}

/** The bytes of every block under `folder`, the one written longest ago first. */
async function measure(folder: string): Promise<Map<BlockId, number>> {
  const found: { id: BlockId; bytes: number; writtenMs: number }[] = []
  const look = async (id: BlockId, file: string) => {
    const { size, mtimeMs } = await stat(file)
    found.push({ id, bytes: size, writtenMs: mtimeMs })
  }
  for (const shelf of await readdir(folder)) {
    if (!/^[0-9a-f]{2}$/.test(shelf)) continue
    const names = (await readdir(join(folder, shelf))).filter(isBlockId)
    for (let i = 0; i < names.length; i += 64) {
      await Promise.all(names.slice(i, i + 64).map(name => look(name, join(folder, shelf, name))))
    }
  }
  found.sort((a, b) => a.writtenMs - b.writtenMs)
  return new Map(found.map(({ id, bytes }) => [id, bytes]))
}

async function removeAbandoned(temporary: string): Promise<void> {
  for (const name of await readdir(temporary)) {
    const file = join(temporary, name)
    try {
      if (Date.now() - (await stat(file)).mtimeMs > abandonedMs) await unlink(file)
    } catch (thrown) {
      if (systemCode(thrown) !== 'ENOENT') throw thrown
    }
  }
}
