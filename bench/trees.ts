/**
 * Ensembles of decision trees on random rows, one thread, beside onnxruntime: native where it is installed, and web. Rows a
 * second, medians; the runtimes take turns, so that a change of the machine's pace meets all of them. What a session is
 * given and gives is counted, its making is not. The largest difference of the outputs is told as well.
 *
 *   npm run bench -- trees [--runs 9] [--trees 500] [--depth 8] [--features 100]
 */
import { parseArgs } from 'node:util'
import { prng } from '../src/base/prng.ts'
import { median } from '../src/base/statistics.ts'
import { createWasmBackend } from '../src/compute/backends/wasm/backend.ts'
import { loadModel } from '../src/compute/engine/model.ts'
import { openSession } from '../src/compute/engine/session.ts'
import { type AttributeInit, makeModel } from '../test/compute/onnx/make-model.ts'
import { treeAttributes } from '../test/compute/onnx/make-trees.ts'
import { loadRuntime } from './plain-loop.ts'
import { printTable } from './report.ts'

interface Size {
  trees: number
  depth: number
  features: number
}

interface Ensemble {
  name: string
  bytes: Uint8Array
}

interface Runner {
  name: string
  run(x: Float32Array, rows: number): Promise<Float32Array>
}

const rowCounts = [1, 64, 4096]

export async function benchTrees(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      runs: { type: 'string', default: '9' },
      trees: { type: 'string', default: '500' },
      depth: { type: 'string', default: '8' },
      features: { type: 'string', default: '100' },
    },
  })
  const size = { trees: Number(values.trees), depth: Number(values.depth), features: Number(values.features) }
  const table: string[][] = []
  for (const ensemble of ensembles(size)) {
    const runners = await openRunners(ensemble.bytes, size.features)
    for (const rows of rowCounts) table.push(await measure(ensemble.name, runners, rows, size, Number(values.runs)))
  }
  printTable(['ensemble', 'rows', 'ours', 'native', 'web', 'ours/native', 'ours/web', 'difference'], table)
}

function ensembles(size: Size): Ensemble[] {
  const thresholds = Array.from({ length: 4096 }, prng(7).normal)
  const common = { ...size, full: true, thresholds }
  const regressor = { prefix: 'target', ids: [0] } as const
  const ids = Array.from({ length: 10 }, (_, id) => id)
  const classes = { classlabels_int64s: ids, post_transform: 'SOFTMAX' }
  return [
    {
      name: 'one target',
      bytes: treeModel(size, {
        n_targets: 1,
        ...treeAttributes(prng(1), { ...common, ...regressor, modes: ['BRANCH_LEQ'] }),
      }),
    },
    {
      name: 'one target, NaN to either side',
      bytes: treeModel(size, {
        n_targets: 1,
        ...treeAttributes(prng(2), { ...common, ...regressor, modes: ['BRANCH_LT'], missing: true }),
      }),
    },
    {
      name: 'ten classes, a tree for one',
      bytes: treeModel(size, {
        ...classes,
        ...treeAttributes(prng(3), { ...common, prefix: 'class', ids, entries: 'of-tree', modes: ['BRANCH_LEQ'] }),
      }),
    },
    {
      name: 'ten classes, a leaf for all',
      bytes: treeModel(size, {
        ...classes,
        ...treeAttributes(prng(4), { ...common, prefix: 'class', ids, entries: 'all', modes: ['BRANCH_LEQ'] }),
      }),
    },
  ]
}

function treeModel({ features }: Size, attributes: Record<string, AttributeInit>): Uint8Array {
  const classifier = 'classlabels_int64s' in attributes
  const outputs = classifier ? ['label', 'scores'] : ['y']
  const type = classifier ? 'TreeEnsembleClassifier' : 'TreeEnsembleRegressor'
  return makeModel({
    opset: 13,
    domains: { 'ai.onnx.ml': 3 },
    inputs: { x: ['N', features] },
    types: { label: 7 },
    outputs,
    ops: [{ type, domain: 'ai.onnx.ml', inputs: ['x'], outputs, attributes }],
  })
}

async function openRunners(bytes: Uint8Array, features: number): Promise<Runner[]> {
  const session = openSession(await createWasmBackend(), loadModel(bytes))
  const runners: Runner[] = [
    {
      name: 'ours',
      async run(data, rows) {
        const outputs = await session.run({ x: { type: 'float32', dims: [rows, features], data } })
        return Float32Array.from((outputs.scores ?? outputs.y).data, Number)
      },
    },
  ]
  for (const [name, packageName] of [
    ['native', 'onnxruntime-node'],
    ['web', 'onnxruntime-web'],
  ]) {
    const runtime = await loadRuntime(packageName, 1)
    if (!runtime) continue
    const options = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 as const }
    const judge = await runtime.InferenceSession.create(bytes, options)
    runners.push({
      name,
      async run(data, rows) {
        const outputs = await judge.run({ x: new runtime.Tensor('float32', data, [rows, features]) })
        return (outputs.scores ?? outputs.y).data as Float32Array
      },
    })
  }
  return runners
}

async function measure(name: string, runners: Runner[], rows: number, size: Size, runs: number): Promise<string[]> {
  const random = prng(rows)
  const x = Float32Array.from({ length: rows * size.features }, random.normal)
  const rates = new Map<string, number[]>(runners.map(runner => [runner.name, []]))
  const outputs = new Map<string, Float32Array>()
  // A turn is of some milliseconds at least; the first ones warm and are not counted.
  const repeats = Math.max(1, Math.ceil(256 / rows))
  for (let turn = -2; turn < runs; turn++) {
    for (const runner of runners) {
      const startMs = performance.now()
      for (let i = 0; i < repeats; i++) outputs.set(runner.name, await runner.run(x, rows))
      const rate = (1000 * rows * repeats) / (performance.now() - startMs)
      if (turn >= 0) rates.get(runner.name)?.push(rate)
    }
  }
  const rate = (which: string) => (rates.has(which) ? median(rates.get(which) ?? []) : Number.NaN)
  const ratio = (which: string) => (rates.has(which) ? (rate('ours') / rate(which)).toFixed(2) : '-')
  const cells = ['ours', 'native', 'web'].map(which => (rates.has(which) ? rate(which).toFixed(0) : '-'))
  return [name, String(rows), ...cells, ratio('native'), ratio('web'), difference(outputs).toExponential(1)]
}

function difference(outputs: ReadonlyMap<string, Float32Array>): number {
  const [mine, other] = [outputs.get('ours'), outputs.get('native') ?? outputs.get('web')]
  if (!mine || !other) return Number.NaN
  return mine.reduce((most, value, i) => Math.max(most, Math.abs(value - other[i])), 0)
}
