/**
 * The program of a compute lane. It knows nothing of the mesh: jobs are opened with their spec and files,
 * shards come as blocks and leave as result blocks. Runs as a worker thread or as a process of its own.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { PeerError } from '../../base/errors.ts'
import { machineTrouble, machineUnfit } from '../../base/trouble.ts'
import type { Backend } from '../../compute/backends/types.ts'
import { createKeepRoom } from '../../jobs/workloads/keep-room.ts'
import { provenDecoder, proveProduct } from '../../jobs/workloads/proof.ts'
import type { ShardRunner } from '../../jobs/workloads/workload.ts'
import { workloads } from '../../jobs/workloads/workloads.ts'
import type { FromLane, LaneInit, ToLane } from './messages.ts'

const port = parentPort
const init: LaneInit = port ? (workerData as LaneInit) : (JSON.parse(process.argv[2] ?? '{}') as LaneInit)

/** A shard that took longer than this is told of at once, and not with the next one's. */
const longMs = 1
let saying: FromLane[] = []

function flush(): void {
  const messages = saying
  saying = []
  if (messages.length === 0) return
  if (port) port.postMessage(messages)
  else process.send?.(messages)
}

function send(message: FromLane): void {
  saying.push(message)
  if (message.type !== 'ran' || message.elapsedMs > longMs) flush()
  else if (saying.length === 1) process.nextTick(flush) // after all that runs without waiting for anything
}

interface OpenJob {
  runner: Promise<ShardRunner>
  /** Its shards here: the runner is closed after the last. */
  running: Set<Promise<void>>
}

const jobs = new Map<string, OpenJob>()
const room = createKeepRoom(init.keepBytes)

/** What the machine lacks is said as that: the error leaves this thread without its cause. */
function failure(thrown: unknown) {
  if (!(thrown instanceof PeerError) && machineTrouble(thrown) !== undefined)
    return machineUnfit('run its shards', thrown).toJSON()
  return PeerError.from(thrown, { code: 'COMPUTE_FAILED', kind: 'resource' }).toJSON()
}

/** When the shard before was done. */
let doneMs = 0

async function run(message: Extract<ToLane, { type: 'run' }>): Promise<void> {
  const startMs = performance.now()
  try {
    const runner = await jobs.get(message.job)?.runner
    if (!runner) throw new PeerError({ code: 'JOB_CLOSED', kind: 'aborted', message: 'the job is over' })
    const { key } = message
    const kept = () => key !== undefined && runner.keeps?.(key) === true
    if (message.blocks.length === 0 && key !== undefined && !kept()) return send({ type: 'lacks', call: message.call })
    const output = await runner.run(message.blocks, message.round, key)
    const elapsedMs = performance.now() - Math.max(startMs, doneMs)
    doneMs = performance.now()
    send({ type: 'ran', call: message.call, ...output, elapsedMs, kept: kept() })
  } catch (thrown) {
    const error = failure(thrown)
    if (error.code === 'DEVICE_LOST') send({ type: 'dead', error })
    else send({ type: 'failed', call: message.call, error })
  }
}

async function close({ runner, running }: OpenJob): Promise<void> {
  await Promise.all(running)
  await runner.then(
    opened => opened.close(),
    () => {},
  )
}

function receive(backend: Backend, message: ToLane): void {
  switch (message.type) {
    case 'open': {
      const files = new Map(message.files.map(file => [file.name, file.bytes]))
      const runner = workloads(message.workload).then(workload => workload.open(message.body, files, backend, room))
      runner.catch(() => {}) // the job's first shard reports it
      jobs.set(message.job, { runner, running: new Set() })
      return
    }
    case 'run': {
      const running = jobs.get(message.job)?.running
      const done = run(message).finally(() => running?.delete(done))
      running?.add(done)
      return
    }
    case 'close': {
      const open = jobs.get(message.job)
      jobs.delete(message.job)
      if (open) void close(open)
      return
    }
    case 'stop':
      process.exit(0)
  }
}

/** Each lane loads its own backend only: a WASM thread has no business with a GPU driver. */
async function openBackend(): Promise<Backend> {
  if (init.backend === 'webgpu') {
    const { createWebGpuBackend } = await import('../../compute/backends/webgpu/backend.ts')
    return createWebGpuBackend({ precision: init.gpu?.precision, tuning: { file: init.gpu?.tilesFile } })
  }
  return (await import('../../compute/backends/wasm/backend.ts')).attachWasmBackend(init.runtime)
}

async function main(): Promise<void> {
  try {
    const backend = await openBackend()
    await proveProduct(backend)
    const hear = (messages: ToLane[]) => {
      for (const message of messages) receive(backend, message)
    }
    if (port) port.on('message', hear)
    else {
      process.on('message', messages => hear(messages as ToLane[]))
      process.on('disconnect', () => process.exit(0)) // the peer is gone
    }
    send({ type: 'ready', device: backend.device, numericClass: backend.numericClass })
    // Tables need no decoder, and nobody waits for it to load.
    const proved: FromLane = await provenDecoder().then(
      () => ({ type: 'proved' }),
      thrown => ({ type: 'proved', error: failure(thrown) }),
    )
    send(proved)
  } catch (thrown) {
    send({ type: 'dead', error: failure(thrown) })
  }
}

void main()
