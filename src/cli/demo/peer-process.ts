/** A `peer start` as a child process: started, ready when it has printed its token, ended by its id. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { PeerError } from '../../base/errors.ts'
import { sibling } from '../../base/package-root.ts'

export interface PeerProcessInit {
  data: string
  name: string
  listen: string
  join?: string
  backend?: 'auto' | 'webgpu' | 'wasm'
  workers?: number
  mdns: boolean
  env?: NodeJS.ProcessEnv
  /** A command that runs the peer by becoming it, such as `ip netns exec NAME`. */
  under?: string[]
}

export interface PeerProcess {
  readonly name: string
  readonly data: string
  readonly token: string
  readonly pid: number
  readonly child: ChildProcess
  /** What it printed so far, both streams. */
  output(): string
  /** Ctrl-C; SIGKILL if it does not leave in time. */
  stop(): Promise<void>
  kill(signal: NodeJS.Signals): void
}

const readyMs = 60_000
const leaveMs = 5000

export function startPeerProcess(init: PeerProcessInit): Promise<PeerProcess> {
  const args = ['start', '--data', init.data, '--name', init.name, '--listen', init.listen]
  if (init.join) args.push('--join', init.join)
  if (init.backend) args.push('--backend', init.backend)
  if (init.workers !== undefined) args.push('--workers', String(init.workers))
  if (!init.mdns) args.push('--no-mdns')
  // In a process group of its own: Ctrl-C at the terminal reaches the parent, which ends it in order. The
  // channel is its lifeline: when the parent is killed, it ends too.
  const main = fileURLToPath(sibling(import.meta.url, '../main'))
  const [command, ...rest] = [...(init.under ?? []), process.execPath, main, ...args]
  const child = spawn(command, rest, {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
    env: { ...process.env, ...init.env, SHARDMESH_LAUNCHED: '1' },
  })
  let output = ''
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()))

  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(timer)
      child.kill('SIGKILL')
      const reason = output.trim().split('\n').at(-1) ?? ''
      reject(
        new PeerError({
          code: 'PEER_NOT_STARTED',
          kind: 'resource',
          message: `${init.name} did not start: ${why} ${reason}`.trim(),
        }),
      )
    }
    const timer = setTimeout(() => fail(`no token within ${readyMs / 1000} s`), readyMs)
    const early = () => fail('it ended')
    child.once('exit', early)
    child.once('error', error => fail(error.message))
    const read = (chunk: Buffer) => {
      output += chunk.toString()
      const token = /peer start --join (\S+)\n/.exec(output)?.[1]
      if (!token || !child.pid) return
      clearTimeout(timer)
      child.off('exit', early)
      resolve({
        name: init.name,
        data: init.data,
        token,
        pid: child.pid,
        child,
        output: () => output,
        kill: signal => child.kill(signal),
        async stop() {
          if (child.exitCode !== null || child.signalCode !== null) return
          child.kill('SIGINT')
          const late = setTimeout(() => child.kill('SIGKILL'), leaveMs)
          await exited
          clearTimeout(late)
        },
      })
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
  })
}
