/**
 * A running peer's log: every event as a line on the terminal (text, or JSON for machines) and as JSON in the data folder's
 * `logs/peer.log`, which is rotated by size. Lines are pino's (https://getpino.io): level, time in milliseconds, fields, msg.
 * Invariant: logging never stops the peer. A disk that refuses costs lines, which are counted, and nothing else.
 */
import { fstatSync } from 'node:fs'
import { join } from 'node:path'
import pc from 'picocolors'
import pino, { type Logger } from 'pino'
import { eventText, oneLine } from '../../peer/event-text.ts'
import type { PeerEvent } from '../../peer/events.ts'
import { openLogFile } from './log-file.ts'

export const logLevels = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof logLevels)[number]

export interface PeerLogInit {
  folder: string
  level: LogLevel
  /** How lines on the terminal look. */
  format: 'text' | 'json'
  /** Where they go; absent: to the file alone. */
  out?: { write(line: string, level: LogLevel): unknown }
}

export interface PeerLog {
  event(event: PeerEvent): void
  /** A line of this program, such as that it ends; as text it is in the file alone, for the banner says it. */
  say(message: string, fields: Record<string, unknown>): void
  close(): Promise<void>
}

const levelOf: Record<PeerEvent['type'], LogLevel> = {
  'peer-joined': 'info',
  'peer-gone': 'info',
  'job-begun': 'info',
  'job-done': 'info',
  'job-failed': 'warn',
  'job-cancelled': 'info',
  'shards-returned': 'debug',
  paused: 'warn',
  resumed: 'info',
  'stranger-refused': 'warn',
  'backend-lost': 'error',
  warning: 'warn',
}

/** Where the log of a data folder lies. */
export const logFileOf = (folder: string) => join(folder, 'logs', 'peer.log')

const options = (level: LogLevel) => ({
  level,
  base: null,
  formatters: { level: (label: string) => ({ level: label }) },
})

export function openPeerLog({ folder, level, format, out }: PeerLogInit): PeerLog {
  const file = openLogFile(logFileOf(folder))
  const loggers: Logger[] = [pino(options(level), file)]
  if (out && format === 'json') loggers.push(pino(options(level), { write: line => void out.write(line, 'info') }))
  const shown = (wanted: LogLevel) => logLevels.indexOf(wanted) >= logLevels.indexOf(level)

  function write(at: LogLevel, message: string, fields: Record<string, unknown>, atMs: number): void {
    for (const logger of loggers) logger[at](fields, message)
    if (out && format === 'text' && shown(at)) out.write(textLine(at, message, atMs), at)
  }

  return {
    event(event) {
      const { atMs, type, ...fields } = event
      write(levelOf[type], eventText(event), { event: type, ...fields }, atMs)
    },
    say(message, fields) {
      for (const logger of loggers) logger.info(fields, oneLine(message))
    },
    close: () => file.close(),
  }
}

const marks: Record<LogLevel, string> = {
  debug: pc.dim('·'),
  info: pc.green('·'),
  warn: pc.yellow('!'),
  error: pc.red('!'),
}

/** `  07:04:12 · kiwi joined …`; under systemd the journal has the time, and takes the level from the first characters. */
function textLine(level: LogLevel, message: string, atMs: number): string {
  if (inJournal()) return `<${{ debug: 7, info: 6, warn: 4, error: 3 }[level]}>${message}\n`
  const time = new Date(atMs).toTimeString().slice(0, 8)
  return `  ${pc.dim(time)} ${marks[level]} ${message}\n`
}

/** systemd says which device and file its journal is; a terminal that a service opened inherits the variable alone. */
export function inJournal(): boolean {
  const stream = process.env.JOURNAL_STREAM
  if (!stream) return false
  try {
    const { dev, ino } = fstatSync(1)
    return stream === `${dev}:${ino}`
  } catch {
    return false
  }
}
