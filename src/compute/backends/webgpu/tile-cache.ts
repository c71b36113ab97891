/**
 * Which tile was the fastest for a product's shape, by adapter, driver and version of the kernels: in memory, and in a file
 * where the caller gives one.
 *
 * Invariant: the file is advice. One that cannot be read, or holds what nobody knows, is as none; it is written in whole, and
 * what cannot be written is measured again in the next process. A choice changes no bits, whoever made it.
 */
import { dirname } from 'node:path'
import { z } from 'zod'
import { makeFolder } from '../../../base/make-folder.ts'
import { readNamedText } from '../../../base/named-file.ts'
import { writeWhole } from '../../../base/whole-file.ts'

export interface TileCache {
  /** The name of the call that was the fastest for this key, if it is known. */
  get(key: string): string | undefined
  set(key: string, name: string): void
  /** Writes what was set since; never rejects. */
  save(): Promise<void>
}

/** A network has some dozens of shapes; the oldest go. */
const keysMax = 4096
const adaptersMax = 16
/** Far more than as many entries take. */
const fileBytesMax = 16 * 1024 * 1024

const tilesFile = z.object({
  format: z.literal(1),
  /** Adapter -> key -> name. */
  adapters: z.record(z.string(), z.record(z.string(), z.string().max(64))),
})

type Choices = Record<string, Record<string, string>>

/**
 * @param adapter what the choices hold for: adapter, driver, version of the kernels
 * @param file absent: choices last as long as this cache
 */
export async function openTileCache(adapter: string, file?: string): Promise<TileCache> {
  const known = new Map(Object.entries((await readChoices(file))[adapter] ?? {}))
  const fresh = new Map<string, string>()
  return {
    get: key => known.get(key),
    set(key, name) {
      known.set(key, name)
      fresh.set(key, name)
    },
    async save() {
      if (file === undefined || fresh.size === 0) return
      try {
        // Read again, because another process may have written since.
        const { [adapter]: mine = {}, ...others } = await readChoices(file)
        const merged = Object.entries({ ...mine, ...Object.fromEntries(fresh) }).slice(-keysMax)
        const kept = Object.entries(others).slice(-(adaptersMax - 1))
        const adapters = { ...Object.fromEntries(kept), [adapter]: Object.fromEntries(merged) }
        await makeFolder(dirname(file), 0o700)
        await writeWhole(file, JSON.stringify({ format: 1, adapters }))
        fresh.clear()
      } catch {
        // Measured again, then.
      }
    },
  }
}

async function readChoices(file: string | undefined): Promise<Choices> {
  if (file === undefined) return {}
  try {
    return tilesFile.parse(JSON.parse(await readNamedText(file, { bytesMax: fileBytesMax }))).adapters
  } catch {
    return {}
  }
}
