/**
 * A log file of bounded size: `peer.log`, then `peer.log.1` … (older ones), through rotating-file-stream. Writes are
 * asynchronous. Invariant: nothing here throws or grows without bound; while the disk refuses, lines are dropped and counted,
 * and the file is tried again later.
 */
import { mkdirSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { createStream, type FileSize, type RotatingFileStream } from 'rotating-file-stream'

export interface LogFile {
  write(line: string): void
  close(): Promise<void>
}

export interface LogFileInit {
  /** One file holds so much. */
  size?: FileSize
  /** Older files that are kept. */
  older?: number
  /** After an error the file is tried again so much later. */
  againMs?: number
}

/** Lines that wait for a slow disk; more are dropped. */
const waitingBytesMax = 1024 * 1024
const closeMs = 1000

export function openLogFile(path: string, init: LogFileInit = {}): LogFile {
  const { size = '5M', older = 4, againMs = 10_000 } = init
  let stream: RotatingFileStream | undefined
  let closedUntilMs = 0
  let dropped = 0

  function open(): RotatingFileStream | undefined {
    if (stream || Date.now() < closedUntilMs) return stream
    try {
      mkdirSync(dirname(path), { mode: 0o700 })
    } catch {
      // It is there, or the stream says what is wrong.
    }
    const made = createStream(basename(path), { path: dirname(path), size, rotate: older, mode: 0o600 })
    const failed = () => {
      if (stream !== made) return
      stream = undefined
      closedUntilMs = Date.now() + againMs
      made.destroy()
    }
    made.on('error', failed)
    made.on('warning', () => {}) // a rotation that failed is tried with the next one
    stream = made
    return made
  }

  return {
    write(line) {
      const to = open()
      if (!to || to.writableLength + line.length > waitingBytesMax) {
        dropped++
        return
      }
      if (dropped > 0) {
        to.write(
          `${JSON.stringify({ level: 'warn', time: Date.now(), msg: `${dropped} lines could not be written` })}\n`,
        )
        dropped = 0
      }
      to.write(line)
    },
    close: () =>
      new Promise(resolve => {
        const closing = stream
        if (!closing) return resolve()
        stream = undefined
        const timer = setTimeout(resolve, closeMs)
        const done = () => {
          clearTimeout(timer)
          resolve()
        }
        closing.once('close', done)
        closing.end(done)
      }),
  }
}
