/**
 * What the mesh itself carries: shards of nothing through two peers of one worker each, and how long one such job takes from the
 * library's call to its end; beside BullMQ on a Redis of this machine, where both are installed (`redis-server`, `npm install
 * --no-save bullmq ioredis`), whose jobs of nothing one worker process takes.
 *
 *   npm run bench -- jobs [--shards 50000] [--single 100] [--runs 3]
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Client } from '../src/api/client.ts'
import { median } from '../src/base/statistics.ts'
import { startMeshOfProcesses } from '../test/e2e/mesh-of-processes.ts'
import { printTable } from './report.ts'

export async function benchJobs(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      shards: { type: 'string', default: '50000' },
      single: { type: 'string', default: '100' },
      runs: { type: 'string', default: '3' },
    },
  })
  const [shards, single, runs] = [values.shards, values.single, values.runs].map(Number)
  const mesh = await startMeshOfProcesses([{}, {}])
  const queue = await startQueue()
  try {
    const [client] = mesh.clients
    await probe(client, 2000) // warms
    await queue?.many(2000)
    const rates: [ours: number, theirs: number][] = []
    // Turns about, so that a change of the machine's pace meets both.
    for (let run = 0; run < runs; run++) {
      const ours = await probe(client, shards)
      rates.push([shards / ours, queue ? shards / (await queue.many(shards)) : Number.NaN])
    }
    const ones: number[] = []
    const theirs: number[] = []
    for (let i = 0; i < single; i++) {
      ones.push(await probe(client, 1))
      if (queue) theirs.push(await queue.one())
    }
    const cell = (value: number, digits: number) => (Number.isNaN(value) ? '-' : value.toFixed(digits))
    printTable(
      ['', 'shards or jobs a second', 'one, submit to result, ms', 'worst'],
      [
        [
          'two peers',
          cell(median(rates.map(([ours]) => ours)) * 1000, 0),
          cell(median(ones), 1),
          cell(Math.max(...ones), 1),
        ],
        [
          'BullMQ, one worker',
          cell(median(rates.map(([, other]) => other)) * 1000, 0),
          theirs.length > 0 ? cell(median(theirs), 1) : '-',
          theirs.length > 0 ? cell(Math.max(...theirs), 1) : '-',
        ],
      ],
    )
  } finally {
    await queue?.stop()
    await mesh.stop()
  }
}

/** Milliseconds from the call to the job's end. */
async function probe(client: Client, shards: number): Promise<number> {
  const started = performance.now()
  const { job } = await client.submit({ workload: 'probe', shards, cwd: '/' })
  for await (const state of client.watch(job)) {
    if (!state.outcome) continue
    const elapsed = performance.now() - started
    if (state.phase !== 'final' || state.itemsDone !== shards) throw new Error(`the job ended as ${state.phase}`)
    return elapsed
  }
  throw new Error('the peer is gone')
}

interface Queue {
  /** Milliseconds. */
  many(jobs: number): Promise<number>
  one(): Promise<number>
  stop(): Promise<void>
}

/** BullMQ's worker and queue in this process, Redis in its own; undefined where one of them is not installed. */
async function startQueue(): Promise<Queue | undefined> {
  const name = 'bullmq'
  const redisClient = 'ioredis'
  const bullmq = await import(redisClient).then(
    () => import(name),
    () => undefined,
  )
  const folder = mkdtempSync(join(tmpdir(), 'shardmesh-redis-'))
  const port = await freePort()
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '']
  const redis: ChildProcess = spawn('redis-server', options, { stdio: 'ignore' })
  const started = await Promise.race([once(redis, 'spawn').then(() => true), once(redis, 'error').then(() => false)])
  if (!bullmq || !started) {
    redis.kill()
    rmSync(folder, { recursive: true, force: true })
    return undefined
  }
  await new Promise(resolve => setTimeout(resolve, 500))
  const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null }
  const queue = new bullmq.Queue('bench', { connection })
  const events = new bullmq.QueueEvents('bench', { connection })
  let left = 0
  let finished = () => {}
  const worker = new bullmq.Worker(
    'bench',
    async () => {
      if (--left === 0) finished()
      return 1
    },
    { connection, concurrency: 100 },
  )
  await Promise.all([events.waitUntilReady(), worker.waitUntilReady()])
  const job = { name: 'nothing', data: {}, opts: { removeOnComplete: true } }
  return {
    async many(jobs) {
      const begun = performance.now()
      left = jobs
      const done = new Promise<void>(resolve => {
        finished = resolve
      })
      for (let at = 0; at < jobs; at += 1000)
        await queue.addBulk(Array.from({ length: Math.min(1000, jobs - at) }, () => job))
      await done
      return performance.now() - begun
    },
    async one() {
      const begun = performance.now()
      left = 1
      const added = await queue.add('nothing', {})
      await added.waitUntilFinished(events)
      return performance.now() - begun
    },
    async stop() {
      await worker.close()
      await events.close()
      await queue.close()
      redis.kill()
      await once(redis, 'exit')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address ? address.port : 6380
}
