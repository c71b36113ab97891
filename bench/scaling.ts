/**
 * Two workers of one process on separate images beside one, and what the process takes at its peak beside what was planned:
 * the weights once and each worker's arena.
 *
 *   npm run bench -- scaling [--runs 9] [--network resnet18]
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { median } from '../src/base/statistics.ts'
import { sharedWasmRuntime } from '../src/compute/backends/wasm/shared-runtime.ts'
import { shared } from '../test/fixtures/shared.ts'
import { printTable } from './report.ts'
import type { ScalingInit } from './scaling-worker.ts'

const rows = 8
const workers = 2
const MiB = 1024 * 1024

export async function benchScaling(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { runs: { type: 'string', default: '9' }, network: { type: 'string', default: 'resnet18' } },
  })
  if (!shared) throw new Error('this benchmark needs ../shared/models/light beside the checkout')
  const bytes = expanded(shared, values.network)
  const runtime = await sharedWasmRuntime()
  const before = { rss: process.memoryUsage.rss(), wasm: runtime.memory.buffer.byteLength }
  const threads: Thread[] = []
  for (let i = 0; i < workers; i++) threads.push(await startThread({ runtime, bytes, rows }))
  const one: number[] = []
  const two: number[] = []
  // Turns about, so that a change of the machine's pace meets both.
  for (let turn = 0; turn < Number(values.runs); turn++) {
    one.push(rows / (await threads[turn % workers].run()))
    const started = performance.now()
    await Promise.all(threads.map(thread => thread.run()))
    two.push((workers * rows) / (performance.now() - started))
  }
  const ratios = one.map((rate, turn) => two[turn] / rate)
  const perSecond = (rates: number[]) => (median(rates) * 1000).toFixed(1)
  printTable(
    ['network', 'one worker', 'two workers', 'ratio'],
    [[values.network, perSecond(one), perSecond(two), median(ratios).toFixed(2)]],
  )
  const mib = (amount: number) => (amount / MiB).toFixed(0)
  const grown = runtime.memory.buffer.byteLength - before.wasm
  printTable(
    ['MiB', 'model file', 'weights and arenas', 'process grew by', 'beside them'],
    [
      [
        values.network,
        mib(bytes.byteLength),
        mib(grown),
        mib(peakRss() - before.rss),
        mib(peakRss() - before.rss - grown),
      ],
    ],
  )
  await Promise.all(threads.map(thread => thread.stop()))
}

/** In shared memory, as a peer's lanes get it. */
function expanded(folder: string, network: string): Uint8Array {
  const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-scaling-'))
  try {
    const full = join(scratch, 'model.onnx')
    const light = join(folder, `models/light/${network}.onnx`)
    execFileSync(process.execPath, [join(folder, 'models/expand-light.mjs'), light, full])
    const file = readFileSync(full)
    const bytes = new Uint8Array(new SharedArrayBuffer(file.byteLength))
    bytes.set(file)
    return bytes
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

interface Thread {
  /** Resolves to the milliseconds of one turn. */
  run(): Promise<number>
  stop(): Promise<unknown>
}

async function startThread(init: ScalingInit): Promise<Thread> {
  const worker = new Worker(new URL('./scaling-worker.ts', import.meta.url), { workerData: init })
  const message = () => new Promise(resolve => worker.once('message', resolve))
  await message()
  return {
    async run() {
      worker.postMessage('run')
      return Number(await message())
    },
    stop: () => worker.terminate(),
  }
}

/** Bytes; Linux says it, elsewhere what is resident now. */
function peakRss(): number {
  return process.resourceUsage().maxRSS * 1024
}
