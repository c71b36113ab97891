/** When a running peer ends: at the first SIGTERM or SIGINT in order, at the second at once. */

import { underNohup } from '../interrupt.ts'

/** SIGINT and SIGTERM as exit codes of what they ended, as shells state them. */
const numbers = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const

/** Ending in order takes at most so long; what is left then ends with the process. */
const orderlyMs = 15_000

export interface Ending {
  /** Resolves with who asked: a signal's name, or what `ask` was given. */
  asked: Promise<string>
  ask(by: string): void
}

/**
 * A hangup ends a peer that a terminal holds. One that no terminal holds goes on: nohup has a hangup ignored, which Node undoes
 * at its start, and services are sent one to say that something changed.
 */
export function listenForEnd(): Ending {
  let resolve: (by: string) => void = () => {}
  let asked = false
  const promise = new Promise<string>(done => {
    resolve = done
  })
  const ask = (by: string) => {
    asked = true
    resolve(by)
    setTimeout(() => process.exit(1), orderlyMs).unref()
  }
  const held = !underNohup() && (process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (signal === 'SIGHUP' && !held) return
      if (asked) process.exit(128 + numbers[signal])
      ask(signal)
    })
  }
  return { asked: promise, ask }
}
