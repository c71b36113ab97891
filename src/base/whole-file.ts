/**
 * Small files that are whole or not there: written under another name, forced to the disk, then renamed. Invariant: a crash or
 * a power failure in the middle leaves the old file.
 */
import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Of mode 0600 unless told otherwise. Throws what the file system throws; then nothing of the new file is left. */
export async function writeWhole(file: string, content: Uint8Array | string, mode = 0o600): Promise<void> {
  // A name of its own: two writers of one file would else write into one draft.
  const draft = `${file}.${randomBytes(4).toString('hex')}.new`
  try {
    const handle = await open(draft, 'wx', mode)
    try {
      await handle.writeFile(content)
      await handle.sync() // a power failure would else leave the new name on an empty file
    } finally {
      await handle.close()
    }
    await rename(draft, file)
  } catch (thrown) {
    await removeIfThere(draft)
    throw thrown
  }
  await syncFolder(dirname(file))
}

/** So that the new name survives a power failure as well. Not every file system can; the file itself is there. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r')
    await handle.sync().finally(() => handle.close())
  } catch {
    // See above.
  }
}

/** Never rejects: what cannot be removed stays. */
export async function removeIfThere(file: string): Promise<void> {
  await rm(file, { force: true }).catch(() => {})
}
