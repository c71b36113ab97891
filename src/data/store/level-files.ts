/**
 * What LevelDB does not say of its own files: that some went, or were cut or zeroed, while it was closed. A clean close leaves a
 * list of them, which the next opening compares and removes; invariant: a list is only there for files that nobody wrote to since.
 * After a kill there is none, for LevelDB's files may then be of any length.
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { removeIfThere, writeWhole } from '../../base/whole-file.ts'

/** LevelDB takes no notice of names that it did not give. */
const listName = 'closed.json'
const listForm = z.object({
  /** Of LevelDB's own log, which each opening begins anew: another's since then makes the list void. */
  log: z.string(),
  files: z.record(z.string(), z.object({ bytes: z.number(), sum: z.number().optional() })),
})
type Files = z.infer<typeof listForm>['files']

const isData = (name: string) => /^\d+\.(log|ldb|sst)$|^MANIFEST-\d+$|^CURRENT$/.test(name)
/** Tables are checked where they are read; what is in these is not noticed there. */
const isSummed = (name: string) => !/\.(ldb|sst)$/.test(name)

/** After the store was closed in order. A disk that refuses costs the comparison alone. */
export async function noteClosed(folder: string): Promise<void> {
  try {
    await writeWhole(
      join(folder, listName),
      JSON.stringify({ log: await lastLog(folder), files: await filesIn(folder) }),
    )
  } catch {
    // The next opening compares nothing.
  }
}

/** Before it is opened: the files that are not as they were when it was closed. */
export async function changedSinceClosed(folder: string): Promise<string[]> {
  const file = join(folder, listName)
  let before: Files = {}
  try {
    const list = listForm.parse(JSON.parse(await readFile(file, 'utf8')))
    if (list.log === (await lastLog(folder))) before = list.files
  } catch {
    // There is none, or it is damaged itself.
  }
  // Not to be compared with files that were written to since.
  await removeIfThere(file)
  const now = await filesIn(folder).catch((): Files => ({}))
  return Object.keys(before).filter(name => {
    const there = now[name]
    return there === undefined || there.bytes !== before[name].bytes || there.sum !== before[name].sum
  })
}

/** Whether anything of LevelDB's is in the folder, and the folder is there. */
export async function hasData(folder: string): Promise<boolean> {
  return (await readdir(folder).catch((): string[] => [])).some(isData)
}

/** There are tables or logs, and nothing that says which of them count: LevelDB would begin anew and remove them. */
export async function lacksCurrent(folder: string): Promise<boolean> {
  const names = (await readdir(folder).catch((): string[] => [])).filter(isData)
  return names.length > 0 && !names.includes('CURRENT')
}

/** Whether the log of the opening that has just been says that something of the data was left out. */
export async function saidDropping(folder: string): Promise<boolean> {
  const text = await readFile(join(folder, 'LOG'), 'utf8').catch(() => '')
  return /dropping \d+ bytes|ignoring error/i.test(text)
}

async function lastLog(folder: string): Promise<string> {
  const bytes = await readFile(join(folder, 'LOG'))
  return `${bytes.length} ${crc32(bytes)}`
}

async function filesIn(folder: string): Promise<Files> {
  const list: Files = {}
  for (const name of (await readdir(folder)).filter(isData)) {
    const file = join(folder, name)
    const { size } = await stat(file)
    list[name] = { bytes: size, ...(isSummed(name) && { sum: crc32(await readFile(file)) }) }
  }
  return list
}
