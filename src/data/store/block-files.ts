/**
 * Blocks as files, `folder/ab/abcd…`, named by their ids. Invariant: a file under its final name was whole when it got it,
 * because it was written under another name and renamed. None is forced to the disk: what a power failure takes is
 * missing or damaged, which the store finds by the hash.
 */
import { open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type BlockId, isBlockId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { makeFolder } from '../../base/make-folder.ts'
import type { BlockPlace } from './block-place.ts'
import { systemCode } from './errors.ts'
import { createFileThread } from './file-thread.ts'

/** A file half written by a process that died is surely abandoned after this long. */
const abandonedMs = 60 * 60 * 1000

/** `write`: how a file is written, by no other thread then. Throws what the file system throws. */
export async function openBlockFiles(
  folder: string,
  write?: (file: string, bytes: Uint8Array) => Promise<void>,
): Promise<BlockPlace> {
  const temporary = join(folder, 'tmp')
  await makeFolder(temporary)
  await removeAbandoned(temporary)
  // Found out now rather than after hours of work.
  await writeWhole(join(temporary, `probe-${process.pid}`), new Uint8Array(1))
  await unlink(join(temporary, `probe-${process.pid}`))

  const shelves = new Set<string>()
  let names = 0
  const place = (id: BlockId) => join(folder, id.slice(0, 2), id)
  const thread = createFileThread()
  const take: BlockPlace['take'] = async (id, bytes) => {
    const draft = join(temporary, `${process.pid}-${names++}`)
    const taken = await thread.write({ bytes, id, draft, file: place(id) })
    return { bytes: taken.bytes, matches: taken.matches, written: taken.matches && taken.failed === undefined }
  }

  return {
    take: write ? undefined : take,
    holds: async (id, length) => (await fileBytes(place(id))) === length,
    async write(id, bytes) {
      const file = place(id)
      const shelf = id.slice(0, 2)
      if (!shelves.has(shelf)) {
        await makeFolder(join(folder, shelf))
        shelves.add(shelf)
      }
      const draft = join(temporary, `${process.pid}-${names++}`)
      try {
        await (write ?? writeWhole)(draft, bytes)
        await rename(draft, file)
      } catch (thrown) {
        await unlink(draft).catch(() => {}) // it may not even exist; the first error is the one that matters
        shelves.delete(shelf)
        throw thrown
      }
    },
    read: id => readBounded(place(id)),
    async remove(id) {
      try {
        await unlink(place(id))
      } catch (thrown) {
        if (systemCode(thrown) !== 'ENOENT') throw thrown // another call was quicker
      }
    },
    list: () => measure(folder),
    close: () => thread.close(),
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

async function measure(folder: string): Promise<{ id: BlockId; bytes: number }[]> {
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
  return found.sort((a, b) => a.writtenMs - b.writtenMs)
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
