/**
 * Folders with what is missing above them. Node's own `mkdir` with `recursive` never ends where the system says that a folder
 * of an existing folder is missing, as under /proc: here every step is tried once.
 */
import { mkdirSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

const codeOf = (thrown: unknown) => (thrown as NodeJS.ErrnoException).code

/** Makes `folder`, and those above it that are missing, with `mode`. Throws what the file system throws. */
export async function makeFolder(folder: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(folder, { mode })
  } catch (thrown) {
    const parent = dirname(folder)
    if (codeOf(thrown) === 'ENOENT' && parent !== folder) {
      await makeFolder(parent, mode)
      await mkdir(folder, { mode }).catch(again => {
        if (codeOf(again) !== 'EEXIST') throw again // another was quicker
      })
    } else if (!(await isFolder(folder))) throw thrown
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    facts => facts.isDirectory(),
    () => false,
  )
}

/** Makes one folder whose parent is there; it may be there itself. */
export function makeFolderSync(folder: string): void {
  try {
    mkdirSync(folder)
  } catch (thrown) {
    if (codeOf(thrown) !== 'EEXIST') throw thrown
  }
}
