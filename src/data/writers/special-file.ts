/** Outputs that are no files: named pipes and devices, such as /dev/stdout or what a shell's `>(…)` names. */
import { once } from 'node:events'
import { constants, createWriteStream, openSync, type Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemCode } from '../store/errors.ts'

/** Whether `out` is there and is neither a file nor a folder. */
export async function isSpecialFile(out: string): Promise<boolean> {
  const stats = await stat(out).catch(() => undefined)
  return stats !== undefined && !stats.isFile() && !stats.isDirectory()
}

const askMs = 100

/**
 * Opens a pipe or a device for writing. A pipe's reader is waited for without a thread that blocks, so that a signal still
 * ends the process. Throws the system's error.
 */
export async function openSpecialFile(out: string): Promise<Writable> {
  const stats: Stats = await stat(out)
  if (!stats.isFIFO()) return createWriteStream(out)
  for (;;) {
    try {
      return new Socket({ fd: openSync(out, constants.O_WRONLY | constants.O_NONBLOCK), readable: false })
    } catch (thrown) {
      if (systemCode(thrown) !== 'ENXIO') throw thrown // ENXIO: nobody reads yet
      await sleep(askMs)
    }
  }
}

/** Resolves when the reader has everything. */
export async function closeSpecialFile(stream: Writable): Promise<void> {
  stream.end()
  if (!stream.writableFinished) await once(stream, 'finish')
}
