/** The command line as a user runs it, in a process of its own or in one that runs many commands: its exit code and what it printed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Answer, Line } from './command-host.ts'

export interface Ran {
  /** -1: it was ended by a signal. */
  code: number
  stdout: string
  stderr: string
}

export interface RunInit {
  cwd?: string
  env?: NodeJS.ProcessEnv
}

export interface ProcessInit extends RunInit {
  /** Sent after `signalMs`, or once `signalAfter` is there. */
  signal?: NodeJS.Signals
  signalMs?: number
  signalAfter?: Promise<unknown>
}

const pathOf = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
const environment = (init: RunInit) => ({ ...process.env, NO_COLOR: '1', ...init.env })

/** In a process of its own: for tests of what a process does (starts, signals, pipes). */
export function peer(args: string[], init: ProcessInit = {}): Promise<Ran> {
  const child = spawn(process.execPath, [pathOf('../../src/cli/main.ts'), ...args], {
    cwd: init.cwd,
    env: environment(init),
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

/** They change the process that they run in. */
const needsProcess = new Set(['demo', 'bench', 'doctor'])
/** Processes that wait for a command. */
const idle: ChildProcess[] = []

function host(): ChildProcess {
  const child = spawn(process.execPath, [pathOf('./command-host.ts')], {
    env: environment({}),
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
  })
  child.setMaxListeners(0)
  return child
}

/** In a process that runs one command after another: a tenth of the time. `peer start` only where it returns. */
export async function command(args: string[], init: RunInit & { input?: string } = {}): Promise<Ran> {
  if (needsProcess.has(args[0])) {
    if (init.input) throw new Error(`peer ${args[0]} runs in a process of its own, which is given no input`)
    return peer(args, init)
  }
  const child = idle.pop() ?? host()
  child.ref()
  child.channel?.ref()
  const line: Line = { args, cwd: init.cwd ?? process.cwd(), env: environment(init), input: init.input ?? '' }
  const { spent, ...ran } = await new Promise<Answer>((resolve, reject) => {
    const died = (code: number | null) =>
      reject(new Error(`peer ${args.join(' ')} ended the process that ran it: ${code}`))
    child.once('exit', died)
    child.once('message', answer => {
      child.off('exit', died)
      resolve(answer as Answer)
    })
    child.send(line)
  })
  if (spent) child.disconnect()
  else idle.push(child)
  // It does not keep this process; it ends with it.
  child.channel?.unref()
  child.unref()
  return ran
}
