/** Outputs that are no files: named pipes and devices, such as /dev/stdout or what a shell's `>(…)` names. */
import { once } from 'node:events'
import { constants, createWriteStream, openSync, type Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { PeerError } from '../../base/errors.ts'
import { systemCode } from '../store/errors.ts'

/**
 * Whether `out` is there and is a pipe or a device that takes bytes one after the other. Throws OUT_KIND for a socket and for a
 * disk, which nobody means.
 */
export async function isSpecialFile(out: string): Promise<boolean> {
  const stats = await stat(out).catch(() => undefined)
  if (stats === undefined || stats.isFile() || stats.isDirectory()) return false
  if (!stats.isSocket() && !stats.isBlockDevice()) return true
  const what = stats.isSocket() ? 'a socket' : 'a disk'
  throw new PeerError({
    code: 'OUT_KIND',
    kind: 'input',
    message: `${out} is ${what}: give the name of a file, or - for standard output`,
  })
}

const askMs = 100
/** Five seconds. */
const sayTries = 50

/**
 * Opens a pipe or a device for writing. A pipe's reader is waited for without a thread that blocks, so that a signal still
 * ends the process. Throws the system's error.
 * @param waits is called where nobody has read for some seconds
 */
export async function openSpecialFile(out: string, waits: () => void = () => {}): Promise<Writable> {
  const stats: Stats = await stat(out)
  if (!stats.isFIFO()) return createWriteStream(out)
  for (let tries = 1; ; tries++) {
    if (tries === sayTries) waits()
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
