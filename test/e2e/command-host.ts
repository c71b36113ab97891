/**
 * Runs the command line again and again in one process, each time with arguments, folder, environment and streams of its own:
 * most of a short command's time is the loading of its modules. `command` in peer-command.ts starts it and says what it runs.
 *
 * Every run evaluates src/cli/main.ts anew. A run ends where the command calls `process.exit`, or where a process of its own
 * would end by itself: when nothing keeps the event loop alive.
 */
import { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export interface Line {
  args: string[]
  cwd: string
  env: Record<string, string | undefined>
  /** Standard input. */
  input: string
}

export interface Answer {
  code: number
  stdout: string
  stderr: string
  /** Something of the command is still there: the next one needs a new process. */
  spent: boolean
}

/** Thrown by `process.exit`: what stands behind the call must not run. */
class Exited extends Error {}

const main = new URL('../../src/cli/main.ts', import.meta.url).href
/** More than a command takes to close its connections, and less than a test may take. */
const endsMsMax = 10_000
const exit = process.exit.bind(process)
const descriptors = ['stdin', 'stdout', 'stderr', 'argv'] as const
let runs = 0

/** What keeps the event loop alive, by kind. */
const alive = () => process.getActiveResourcesInfo().sort().join()

function sink() {
  const chunks: Buffer[] = []
  const stream = new Writable({
    write(chunk, _, done) {
      chunks.push(Buffer.from(chunk))
      done()
    },
  })
  return { stream, text: () => Buffer.concat(chunks).toString() }
}

function setEnvironment(env: Line['env']): void {
  for (const name of Object.keys(process.env)) if (env[name] === undefined) delete process.env[name]
  for (const [name, value] of Object.entries(env)) if (value !== undefined) process.env[name] = value
}

async function run({ args, cwd, env, input }: Line): Promise<Answer> {
  const out = sink()
  const err = sink()
  const values = {
    stdin: Readable.from(input === '' ? [] : [Buffer.from(input)], { objectMode: false }),
    stdout: out.stream,
    stderr: err.stream,
    argv: [process.execPath, fileURLToPath(main), ...args],
  }
  for (const name of descriptors) Object.defineProperty(process, name, { value: values[name], configurable: true })
  process.chdir(cwd)
  setEnvironment(env)
  process.exitCode = undefined
  const idle = alive()
  const listeners = process.eventNames().map(name => [name, process.listeners(name as 'exit')] as const)

  const { promise, resolve } = Promise.withResolvers<number>()
  process.exit = ((code?: number) => {
    resolve(Number(code ?? process.exitCode ?? 0))
    throw new Exited()
  }) as typeof process.exit
  const crash = (thrown: unknown) => {
    if (thrown instanceof Exited) return
    err.stream.write(`${thrown instanceof Error ? thrown.stack : thrown}\n`)
    resolve(1)
  }
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)

  const ends = async () => {
    await import(`${main}?run=${runs++}`)
    const begun = Date.now()
    while (alive() !== idle) {
      if (Date.now() - begun > endsMsMax) throw new Error(`the command does not end: ${alive()} is left of it`)
      await sleep(2)
    }
    resolve(Number(process.exitCode ?? 0))
  }
  ends().catch(crash)
  const code = await promise
  const answer = { code, stdout: out.text(), stderr: err.text() }

  // What an ended process could not do any more must not disturb the next one.
  for (let waited = 0; alive() !== idle && waited < 200; waited += 2) await sleep(2)
  for (const name of process.eventNames()) {
    const before = listeners.find(([known]) => known === name)?.[1] ?? []
    for (const listener of process.listeners(name as 'exit'))
      if (!before.includes(listener)) process.off(name as string, listener)
  }
  return { ...answer, spent: alive() !== idle }
}

await import('../../src/cli/program.ts') // loaded before it is needed
process.on('disconnect', () => exit(0))
process.on('message', async (line: Line) => process.send?.(await run(line)))
