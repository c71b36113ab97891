/** The command line as a user runs it: a process of its own, its exit code and what it printed. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface Ran {
  /** -1: it was ended by a signal. */
  code: number
  stdout: string
  stderr: string
}

export interface RunInit {
  cwd?: string
  env?: NodeJS.ProcessEnv
  /** Sent after `signalMs`, or once `signalAfter` is there. */
  signal?: NodeJS.Signals
  signalMs?: number
  signalAfter?: Promise<unknown>
}

export function peer(args: string[], init: RunInit = {}): Promise<Ran> {
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
  const child = spawn(process.execPath, [main, ...args], {
    cwd: init.cwd,
    env: { ...process.env, NO_COLOR: '1', ...init.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', chunk => {
    stdout += chunk
  })
  child.stderr.on('data', chunk => {
    stderr += chunk
  })
  const { signal } = init
  const timer = signal && !init.signalAfter && setTimeout(() => child.kill(signal), init.signalMs ?? 0)
  if (signal) void init.signalAfter?.then(() => child.kill(signal))
  return new Promise(resolve => {
    child.on('close', code => {
      if (timer) clearTimeout(timer)
      resolve({ code: code ?? -1, stdout, stderr })
    })
  })
}
