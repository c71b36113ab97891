/** How an error reaches a person: one line on stderr and an exit code; a stack trace only with --verbose. */
import pc from 'picocolors'
import { PeerError } from '../base/errors.ts'
import { plain } from './plain.ts'

/** 2: what was asked for cannot be done as it was asked. 130: stopped by Ctrl-C. 1: everything else. */
export function exitWith(thrown: unknown): number {
  if (!(thrown instanceof PeerError)) return 1
  if (thrown.kind === 'aborted') return 130
  return thrown.kind === 'input' || thrown.kind === 'model' || thrown.kind === 'resource' ? 2 : 1
}

export function printError(thrown: unknown, verbose: boolean): void {
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  process.stderr.write(`${pc.red('peer:')} ${plain(message.replace(/\s*\n\s*/g, ' '))}\n`)
  if (!verbose) return
  for (let error: unknown = thrown; error instanceof Error; error = error.cause) {
    process.stderr.write(`${error.stack}\n`)
    if (error instanceof PeerError) process.stderr.write(`${JSON.stringify(error.toJSON())}\n`)
  }
}
