/**
 * Notices that somebody else removes an open LevelDB or writes into its tables, before LevelDB reads them: it maps them into memory,
 * where a table that was cut ends the process. Invariant: LevelDB's own tables grow, and are sound once they do not.
 */
import { existsSync, type FSWatcher, watch } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isSoundTable, isTable } from './level-tables.ts'

/** Whoever removes a folder removes its files one by one, and should find none that are new. */
const goneMs = 300

export interface TableWatch {
  /** From now on; again when the tables are others. Never rejects. */
  begin(): Promise<void>
  close(): void
}

/** @param damaged a table was changed; called again while it is so and written to */
export function watchTables(folder: string, damaged: () => void): TableWatch {
  const known = new Map<string, number>()
  let watcher: FSWatcher | undefined

  function gone(): void {
    if (watcher && !existsSync(join(folder, 'CURRENT'))) damaged()
  }

  async function look(name: string): Promise<void> {
    const file = join(folder, name)
    const size = await stat(file).then(
      facts => facts.size,
      () => undefined,
    )
    const before = known.get(name)
    if (size === undefined) known.delete(name)
    else if (before === undefined || size > before) known.set(name, size)
    else if (size < before || !(await isSoundTable(file))) damaged()
  }

  return {
    async begin() {
      watcher?.close()
      known.clear()
      try {
        watcher = watch(folder, { persistent: false }, (_, name) => {
          if (name === 'CURRENT') setTimeout(gone, goneMs).unref()
          else if (name !== null && isTable(name)) void look(name).catch(() => {}) // LevelDB meets what cannot be read
        })
        watcher.on('error', () => {}) // the folder is gone: LevelDB says so
        for (const name of (await readdir(folder)).filter(isTable))
          known.set(name, (await stat(join(folder, name))).size)
      } catch {
        // The system has no more watches: damage is found where it is read.
      }
    },
    close() {
      watcher?.close()
      watcher = undefined
    },
  }
}
