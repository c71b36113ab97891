/** The work of `peer bench`: kernels on typical shapes, or whole networks, beside what this machine does at best. */
import { createRequire } from 'node:module'
import { arch, availableParallelism, cpus } from 'node:os'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as ort from 'onnxruntime-web'
import { PeerError } from '../base/errors.ts'
import { median } from '../base/statistics.ts'
import type { Backend, Ceilings } from '../compute/backends/types.ts'
import { type Model, planModel } from '../compute/engine/model.ts'
import { measuredShapes } from '../compute/measure/kernel-shapes.ts'
import { type KernelTiming, type Pace, timeKernel } from '../compute/measure/kernels.ts'
import { type NetworkTiming, randomInputs, timeNetwork } from '../compute/measure/networks.ts'
import { openDraft, streamDraft } from '../data/writers/draft.ts'
import { closeSpecialFile, isSpecialFile, openSpecialFile } from '../data/writers/special-file.ts'
import { describeDevices } from '../peer/devices.ts'
import { dataFolder } from '../peer/home.ts'
import { rememberRate } from '../peer/known-rates.ts'
import { rate, table } from './format.ts'
import { openBackend, readModel, usageError } from './open-model.ts'
import type { CommonOptions } from './session.ts'

export interface BenchOptions extends CommonOptions {
  kernel: string[]
  model: string[]
  backend: string
  compare?: string
  json?: string
  seconds?: string
}

export interface BenchReport {
  machine: { processor: string; cores: number; node: string }
  device: string
  numericClass: string
  ceilings: Ceilings
  kernels: (KernelTiming | { kernel: string; shape: string; unsupported: string })[]
  networks: (NetworkTiming & { model: string; loadMs: number; compared?: Comparison })[]
}

/** Ratios of our time to another's on the same input, batch 1, one thread each, taking turns. */
export interface Comparison {
  runtime: string
  rowsPerSecond: number
  oursByTheirs: number
}

const kernelMs = 300
const networkMs = 3000
const comparedTurns = 9

/** @param tell progress for a person. Throws PeerError: `input`, `model`, `resource`. */
export async function bench(options: BenchOptions, tell: (line: string) => void): Promise<BenchReport> {
  const budgetMs = budgetOf(options)
  const names = kernelsOf(options)
  if (options.compare !== undefined && options.compare !== 'onnxruntime-web')
    throw usageError(`there is nothing to compare with called "${options.compare}"; give --compare onnxruntime-web`)
  if (options.compare !== undefined && options.model.length === 0)
    throw usageError('--compare runs networks; add --model FILE')
  const runtime = options.compare === undefined ? undefined : await loadOnnxRuntime(options.compare)
  // Whatever is wrong with a model is said before anything is measured.
  const models = []
  for (const path of options.model) {
    const begun = performance.now()
    models.push({ path, ...(await readModel(path)), loadMs: performance.now() - begun })
  }
  const backend = await openBackend(options.backend, { data: options.data })
  tell(`measuring what ${backend.device} does at best`)
  const ceilings = await backend.ceilings?.()
  if (!ceilings) throw new Error('broken invariant: a backend with a name has ceilings')
  const { device, numericClass } = backend
  const machine = { processor: cpus()[0]?.model ?? arch(), cores: availableParallelism(), node: process.version }
  const report: BenchReport = { machine, device, numericClass, ceilings, kernels: [], networks: [] }
  const shapes = measuredShapes.filter(({ kernel }) => names.includes(kernel))
  for (const [i, shape] of shapes.entries()) {
    tell(`kernel ${i + 1} of ${shapes.length}: ${shape.kernel}, ${shape.text}`)
    report.kernels.push(await kernelRow(backend, shape, ceilings, budgetMs ?? kernelMs))
  }
  for (const { path, model, bytes, loadMs } of models) {
    tell(`network ${basename(path)}`)
    const timing = await timeNetwork(backend, model, ceilings, budgetMs ?? networkMs)
    const compared = runtime && (await compare(backend, model, bytes, runtime))
    report.networks.push({ model: path, loadMs, ...timing, ...(compared && { compared }) })
  }
  await remember(report, options)
  if (options.json !== undefined) await writeReport(options.json, `${JSON.stringify(report, null, 2)}\n`)
  return report
}

async function writeReport(file: string, text: string): Promise<void> {
  const stream = (await isSpecialFile(file)) ? await openSpecialFile(file) : undefined
  const draft = stream ? streamDraft(stream) : await openDraft(file)
  await draft.write(text)
  await draft.close()
  if (stream) await closeSpecialFile(stream)
}

function budgetOf({ seconds }: BenchOptions): number | undefined {
  if (seconds === undefined) return undefined
  const value = Number(seconds)
  if (!(value > 0 && value <= 3600))
    throw usageError(`--seconds takes a number of seconds up to 3600, and got "${seconds}"`)
  return value * 1000
}

/** All kernels where neither kernels nor networks are named. */
function kernelsOf({ kernel, model }: BenchOptions): string[] {
  const known = [...new Set(measuredShapes.map(shape => shape.kernel))]
  for (const name of kernel) {
    if (known.some(one => one === name)) continue
    const near = known.filter(one => one.includes(name) || name.includes(one) || distance(one, name) <= 2)
    const advice = near.length > 0 ? `did you mean ${near.join(' or ')}?` : `the kernels are ${known.join(', ')}`
    throw usageError(`there is no kernel "${name}"; ${advice}`)
  }
  return kernel.length > 0 || model.length > 0 ? kernel : known
}

/** Levenshtein's: insertions, deletions and replacements from one word to the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]
}

async function kernelRow(
  backend: Backend,
  shape: (typeof measuredShapes)[number],
  ceilings: Ceilings,
  budgetMs: number,
): Promise<BenchReport['kernels'][number]> {
  try {
    return await timeKernel(backend, shape, ceilings, budgetMs)
  } catch (thrown) {
    if (!(thrown instanceof PeerError) || thrown.code !== 'MODEL_UNSUPPORTED_KERNEL') throw thrown
    return { kernel: shape.kernel, shape: shape.text, unsupported: thrown.message }
  }
}

type Runtime = Pick<typeof ort, 'InferenceSession' | 'Tensor' | 'env'>

/** It is no dependency of ours: it is taken from where the user works, else from beside us. */
async function loadOnnxRuntime(name: string): Promise<Runtime> {
  for (const from of [join(process.cwd(), 'package.json'), import.meta.url]) {
    try {
      const runtime: Runtime = await import(pathToFileURL(createRequire(from).resolve(name)).href)
      runtime.env.wasm.numThreads = 1
      return runtime
    } catch {
      // The next place may have it.
    }
  }
  throw usageError(`${name} is not installed; run \`npm install ${name}\` here, or leave out --compare`)
}

async function compare(backend: Backend, model: Model, bytes: Uint8Array, runtime: Runtime): Promise<Comparison> {
  const batch = model.fixedBatch ?? 1
  const planned = planModel(model, { batch, layout: backend.layout })
  const executable = await backend.compile(planned.program, planned.weights)
  const session = await runtime.InferenceSession.create(bytes, { logSeverityLevel: 3 })
  const inputs = randomInputs(planned)
  const feeds = Object.fromEntries(
    planned.program.inputs.map(({ name, dims }) => [name, new runtime.Tensor('float32', inputs[name], dims)]),
  )
  const times: [ours: number, theirs: number][] = []
  for (let turn = 0; turn <= comparedTurns; turn++) {
    const started = performance.now()
    await executable.run(inputs)
    const between = performance.now()
    await session.run(feeds)
    times.push([between - started, performance.now() - between])
  }
  executable.dispose()
  const [ours, theirs] = [0, 1].map(which => median(times.slice(1).map(pair => pair[which])))
  return { runtime: 'onnxruntime-web', rowsPerSecond: (batch / theirs) * 1000, oursByTheirs: theirs / ours }
}

/** What a peer on this machine will tell the others until it has computed something itself. */
async function remember(
  { device, numericClass, networks }: BenchReport,
  { backend, data }: BenchOptions,
): Promise<void> {
  if (networks.length === 0) return
  const lanes = backend === 'wasm' ? availableParallelism() : 1
  const name = backend === 'wasm' ? 'wasm' : 'webgpu'
  const rates = networks.map(({ runs }) => Math.max(...runs.map(run => run.rowsPerSecond)))
  const facts = Array.from({ length: lanes }, () => ({ backend: name, device, numericClass }) as const)
  await rememberRate(dataFolder(data), describeDevices(facts).device, median(rates) * lanes)
}

const ms = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(value >= 1 ? 2 : 4))
const paceHead = ['ms', 'GFLOP/s', 'GB/s', 'of ceiling']
const paceCells = (pace: Pace) => [
  ms(pace.ms),
  rate(pace.gflopsPerSecond),
  rate(pace.gigabytesPerSecond),
  percent(pace.ofCeiling),
]
const percent = (share: number) => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)}%`

/** What a person is shown of it. */
export function benchText({ machine, device, ceilings, kernels, networks }: BenchReport): string {
  const parts = [
    `${machine.processor}, ${machine.cores} cores, Node ${machine.node}\non ${device}\nat best ${rate(ceilings.flopsPerSecond / 1e9)} GFLOP/s (multiply-adds on registers) and ${rate(ceilings.bytesPerSecond / 1e9)} GB/s (a large copy)\n`,
  ]
  if (kernels.length > 0) {
    const rows = kernels.map(row =>
      'unsupported' in row ? [row.kernel, row.shape, '-', '-', '-', '-'] : [row.kernel, row.shape, ...paceCells(row)],
    )
    parts.push(table(['kernel', 'shape', ...paceHead], rows))
    parts.push('Above 100%: what was read lay in caches, which are faster than the large copy.\n')
  }
  for (const network of networks) parts.push(networkText(network))
  return parts.join('\n')
}

function networkText(network: BenchReport['networks'][number]): string {
  const { model, loadMs, planMs, compileMs, runs, kernels, steps, compared } = network
  const stages = [
    ['load', ms(loadMs), ''],
    ['plan', ms(planMs), ''],
    ['compile', ms(compileMs), ''],
    ...runs.map(run => [`run, batch ${run.batch}`, ms(run.ms), rate(run.rowsPerSecond)]),
  ]
  const lines = [
    `${model}\n`,
    table(['stage', 'ms', 'images/s'], stages),
    table(
      ['kernel', 'steps', 'share', ...paceHead],
      kernels.map(row => [row.kernel, String(row.steps), percent(row.share), ...paceCells(row)]),
    ),
    table(
      ['dearest steps', 'kernel', 'share', ...paceHead],
      steps.map(row => [row.name, row.kernel, percent(row.share), ...paceCells(row)]),
    ),
  ]
  if (compared) {
    lines.push(
      `${compared.runtime} on one thread: ${rate(compared.rowsPerSecond)} images/s at batch 1; shardmesh is ${compared.oursByTheirs.toFixed(2)} times as fast\n`,
    )
  }
  return lines.join('\n')
}
