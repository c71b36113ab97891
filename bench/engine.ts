/**
 * The engine on real networks, one thread, beside onnxruntime: web (what a JavaScript developer would take) and
 * native where it is installed. Images per second, medians; the runtimes take turns on each network, so that a
 * change of the machine's pace meets all of them. The outputs are compared as well (relative L2 norm).
 *
 *   npm run bench -- engine [--runs 7] [--network NAME]
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { prng } from '../src/base/prng.ts'
import { median } from '../src/base/statistics.ts'
import { createWasmBackend } from '../src/compute/backends/wasm/backend.ts'
import { loadModel } from '../src/compute/engine/model.ts'
import { openNetwork } from '../src/compute/engine/network.ts'
import { shared } from '../test/fixtures/shared.ts'
import { loadRuntime, type Runtime } from './plain-loop.ts'
import { printTable } from './report.ts'

const batches = [1, 8]
const side = 224

interface Runner {
  name: string
  run(input: Float32Array): Promise<Float32Array>
}

export async function benchEngine(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { runs: { type: 'string', default: '7' }, network: { type: 'string' } },
  })
  if (!shared) throw new Error('this benchmark needs ../shared/models/light beside the checkout')
  const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-engine-'))
  try {
    const folder = join(shared, 'models/light')
    const rows: string[][] = []
    const ratios: Record<string, number[]> = { web: [], native: [] }
    for (const file of readdirSync(folder).sort()) {
      const name = basename(file, '.onnx')
      if (values.network && values.network !== name) continue
      const full = join(scratch, file)
      execFileSync(process.execPath, [join(shared, 'models/expand-light.mjs'), join(folder, file), full])
      for (const batch of batches) rows.push(await one(name, readFileSync(full), batch, Number(values.runs), ratios))
      rmSync(full)
    }
    printTable(['network', 'batch', 'ours', 'web', 'native', 'ours/web', 'ours/native', 'rel L2'], rows)
    for (const [what, list] of Object.entries(ratios)) {
      if (list.length > 0) console.log(`geometric mean, ours/${what}: ${geometricMean(list).toFixed(2)}`)
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

const geometricMean = (list: number[]) => Math.exp(list.reduce((sum, value) => sum + Math.log(value), 0) / list.length)

async function one(
  name: string,
  bytes: Uint8Array,
  batch: number,
  runs: number,
  ratios: Record<string, number[]>,
): Promise<string[]> {
  const random = prng(1)
  const input = Float32Array.from({ length: batch * 3 * side * side }, () => random.normal())
  const runners = [await ours(bytes, batch), await theirs('web', bytes, batch), await theirs('native', bytes, batch)]
  const outputs = new Map<string, Float32Array>()
  const rates = new Map<string, number[]>()
  // The first turn warms and is not counted.
  for (let turn = 0; turn <= runs; turn++) {
    for (const runner of runners) {
      if (!runner) continue
      const startMs = performance.now()
      outputs.set(runner.name, await runner.run(input))
      const rate = (batch / (performance.now() - startMs)) * 1000
      if (turn > 0) rates.set(runner.name, [...(rates.get(runner.name) ?? []), rate])
    }
  }
  const rateOf = (which: string) => (rates.has(which) ? median(rates.get(which) ?? []) : undefined)
  const ratio = (which: string) => {
    const [mine, other] = [rateOf('ours'), rateOf(which)]
    if (mine === undefined || other === undefined) return ''
    ratios[which].push(mine / other)
    return (mine / other).toFixed(2)
  }
  const cells = ['ours', 'web', 'native'].map(which => rateOf(which)?.toFixed(1) ?? '-')
  return [name, String(batch), ...cells, ratio('web'), ratio('native'), difference(outputs).toExponential(1)]
}

function difference(outputs: Map<string, Float32Array>): number {
  const [mine, other] = [outputs.get('ours'), outputs.get('web')]
  if (!mine || !other) return Number.NaN
  let error = 0
  let norm = 0
  for (let i = 0; i < other.length; i++) {
    error += (mine[i] - other[i]) ** 2
    norm += other[i] ** 2
  }
  return Math.sqrt(error / norm)
}

async function ours(bytes: Uint8Array, batch: number): Promise<Runner> {
  const backend = await createWasmBackend()
  const network = await openNetwork(backend, loadModel(bytes), { batchMax: batch })
  const [output] = Object.keys(network.outputs)
  return { name: 'ours', run: async input => (await network.run(input, batch))[output] }
}

const packages = { web: 'onnxruntime-web', native: 'onnxruntime-node' }

async function theirs(which: keyof typeof packages, bytes: Uint8Array, batch: number): Promise<Runner | undefined> {
  const runtime: Runtime | undefined = await loadRuntime(packages[which], 1)
  if (!runtime) return undefined
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 as const }
  const session = await runtime.InferenceSession.create(bytes, options)
  return {
    name: which,
    async run(input) {
      const feeds = { [session.inputNames[0]]: new runtime.Tensor('float32', input, [batch, 3, side, side]) }
      return (await session.run(feeds))[session.outputNames[0]].data as Float32Array
    },
  }
}
