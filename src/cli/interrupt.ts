/**
 * How a command ends at a signal. Invariant: the first SIGINT, SIGTERM or SIGHUP ends it within a second, whatever it waits for;
 * what `nohup` started takes no notice of a hangup. The second signal ends it at once.
 */
import { readlinkSync } from 'node:fs'
import { basename } from 'node:path'

/** What is under way when the signal comes may be tidied up for so long. */
const tidyMs = 800

const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const

/** As main.ts exits where somebody stopped a command. */
const stoppedExit = 130

/** Aborts at the first signal. @param ms for commands that have processes of their own to end */
export function interruptible(ms = tidyMs): AbortController {
  const abort = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (signal === 'SIGHUP' && underNohup()) return
      if (abort.signal.aborted) process.exit(128 + numbers[signal])
      setTimeout(() => {
        process.stderr.write('peer: stopped\n')
        process.exit(stoppedExit)
      }, ms).unref()
      abort.abort()
    })
  }
  return abort
}

/**
 * Whether `nohup` started this process: it has hangups ignored, which Node undoes at its start. A shell leaves the command's name
 * in `_`; what a terminal held goes to nohup.out.
 */
export function underNohup(): boolean {
  if (basename(process.env._ ?? '') === 'nohup') return true
  try {
    return [1, 2].some(fd => basename(readlinkSync(`/proc/self/fd/${fd}`)) === 'nohup.out')
  } catch {
    return false // no /proc here
  }
}

/** Of commands that have no signals of their own: nohup's promise alone. */
export function heedNohup(): void {
  if (underNohup()) process.on('SIGHUP', () => {})
}
