/**
 * How many items a second this machine's devices did before, kept in the data folder: what a peer tells the others from its
 * start until it has measured itself. By the devices' description, so that a change of them starts anew.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { makeFolder } from '../base/make-folder.ts'
import { readNamedText } from '../base/named-file.ts'
import { writeWhole } from '../base/whole-file.ts'

const ratesFile = z.record(z.string(), z.number().positive().max(1e12))

/** Descriptions that are kept; the oldest go. */
const ratesMax = 16

/** Items a second, or 0 where nothing is known; a file that cannot be read is nothing known. */
export async function knownRate(folder: string, device: string): Promise<number> {
  return (await readRates(folder))[device] ?? 0
}

/** Throws what the file system throws. */
export async function rememberRate(folder: string, device: string, itemsPerSecond: number): Promise<void> {
  if (!(itemsPerSecond > 0)) return
  const { [device]: _, ...others } = await readRates(folder)
  const kept = Object.entries(others).slice(-(ratesMax - 1))
  await makeFolder(folder, 0o700)
  const file = join(folder, 'rates.json')
  await writeWhole(file, JSON.stringify({ ...Object.fromEntries(kept), [device]: itemsPerSecond }))
}

async function readRates(folder: string): Promise<Record<string, number>> {
  try {
    return ratesFile.parse(JSON.parse(await readNamedText(join(folder, 'rates.json'), { bytesMax: 1024 * 1024 })))
  } catch {
    return {}
  }
}
