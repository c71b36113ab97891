/**
 * Blocks on disk, `folder/ab/abcd…`: one file a block, named by its id. Invariant: a file under its final name is
 * whole, because it was written under another name and renamed; what the disk damaged later is found by its hash,
 * removed, and can be put again.
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
}

/** A file half written by a process that died is surely abandoned after this long. */
const abandonedMs = 60 * 60 * 1000

/**
 * Opens, and makes where needed, the store in `folder`. One process writes to a folder; a second one that reads or
 * writes does no harm, but `size` does not see its blocks. The bytes that `get` returns are the store's: do not
 * write to them. Throws PeerError of kind `resource` when the folder cannot be used or the disk is full.
 */
export async function openDiskStore(folder: string, init: DiskStoreInit = {}): Promise<BlockStore> {
  const cache = createBlockCache(init.cacheBytes ?? 64 * 1024 * 1024)
  const temporary = join(folder, 'tmp')
  let held: number
  try {
    await mkdir(temporary, { recursive: true })
    await removeAbandoned(temporary)
    held = await measure(folder)
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

  const write = async (id: BlockId, bytes: Uint8Array): Promise<void> => {
    const file = place(id)
    const present = await fileBytes(file)
    if (present === bytes.length) return
    const shelf = id.slice(0, 2)
    if (!shelves.has(shelf)) {
      await mkdir(join(folder, shelf), { recursive: true })
      shelves.add(shelf)
    }
    const draft = join(temporary, `${process.pid}-${names++}`)
    try {
      await writeWhole(draft, bytes)
      await rename(draft, file)
    } catch (thrown) {
      await unlink(draft).catch(() => {}) // it may not even exist; the first error is the one that matters
      shelves.delete(shelf)
      throw thrown
    }
    held += bytes.length - (present ?? 0)
  }

  const remove = async (id: BlockId): Promise<void> => {
    cache.delete(id)
    const bytes = await fileBytes(place(id))
    if (bytes === undefined) return
    try {
      await unlink(place(id))
      held -= bytes
    } catch (thrown) {
      if (systemCode(thrown) !== 'ENOENT') throw thrown // another call was quicker
    }
  }

  const guarded = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (thrown) {
      throw storeError(folder, thrown)
    }
  }

  return {
    async put(bytes) {
      checkBlockSize(bytes)
      const id = blockId(bytes)
      let work = writing.get(id)
      if (!work) {
        work = write(id, bytes).finally(() => writing.delete(id))
        writing.set(id, work)
      }
      await guarded(work)
      if (!cache.get(id)) cache.set(id, bytes.slice()) // a copy: the caller may go on with its buffer
      return id
    },
    async get(id) {
      const cached = cache.get(id)
      if (cached || !isBlockId(id)) return cached
      const bytes = await guarded(readBounded(place(id)))
      if (!bytes) return undefined
      if (blockId(bytes) !== id) {
        // Gone from here on, so that `has` tells the truth and the block can be put again.
        await guarded(remove(id))
        return undefined
      }
      cache.set(id, bytes)
      return bytes
    },
    has: async id => isBlockId(id) && (await guarded(fileBytes(place(id)))) !== undefined,
    async delete(id) {
      if (isBlockId(id)) await guarded(remove(id))
    },
    size: async () => held,
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

/** Bytes of every block under `folder`. */
async function measure(folder: string): Promise<number> {
  let bytes = 0
  for (const shelf of await readdir(folder)) {
    if (!/^[0-9a-f]{2}$/.test(shelf)) continue
    const names = (await readdir(join(folder, shelf))).filter(isBlockId)
    for (let i = 0; i < names.length; i += 64) {
      const sizes = await Promise.all(names.slice(i, i + 64).map(name => fileBytes(join(folder, shelf, name))))
      for (const size of sizes) bytes += size ?? 0
    }
  }
  return bytes
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
