/**
 * Folders laid out as ONNX's backend tests (`test_NAME/model.onnx`, `test_data_set_N/input_I.pb`, `output_I.pb`): each case
 * run on a backend and held against what it says. Shapes and types must be equal, values within ONNX's tolerance.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PeerError } from '../../src/base/errors.ts'
import type { Backend } from '../../src/compute/backends/types.ts'
import { loadModel, type Model } from '../../src/compute/engine/model.ts'
import { openSession, type Tensors } from '../../src/compute/engine/session.ts'
import { externalFolder } from '../../src/compute/onnx/external-data.ts'
import { decodeTensorFile } from '../../src/compute/onnx/tensor-proto.ts'
import { fromHost, isFloat, type TypedTensor, toHost } from '../../src/compute/tensor/element-type.ts'
import { shapeText } from '../../src/compute/tensor/shape.ts'

export interface CaseResult {
  name: string
  outcome: 'passed' | 'failed' | 'unsupported'
  /** Why not passed. */
  reason?: string
}

/**
 * ONNX's own tolerance: |got - want| <= atol + rtol * |want|. A sum of many terms may end near zero by cancellation, where no
 * relative bound on the result means anything: there the bound is `sumTolerance` times the largest magnitude in the
 * output, some 8 units in the last place of what was added up.
 */
const rtol = 1e-3
const atol = 1e-7
const sumTolerance = 1e-6

/** Operators that add up many terms. */
const sums = new Set([
  ...[
    'Conv',
    'ConvTranspose',
    'Gemm',
    'MatMul',
    'Einsum',
    'ReduceSum',
    'ReduceMean',
    'ReduceLogSum',
    'CumSum',
    'Resize',
  ],
  ...['AveragePool', 'GlobalAveragePool', 'LayerNormalization', 'InstanceNormalization', 'GroupNormalization'],
  ...['BatchNormalization', 'MeanVarianceNormalization', 'LRN', 'Softmax', 'LogSoftmax'],
])

/** Names of the cases in a folder, sorted. */
export function findCases(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && existsSync(join(folder, entry.name, 'model.onnx')))
    .map(entry => entry.name)
    .sort()
}

/** Runs all data sets of one case; never throws. */
export async function runCase(backend: Backend, folder: string, name: string): Promise<CaseResult> {
  const path = join(folder, name)
  try {
    const model = loadModel(readFileSync(join(path, 'model.onnx')), { readExternal: externalFolder(path) })
    const sets = readdirSync(path).filter(entry => entry.startsWith('test_data_set_'))
    if (sets.length === 0) return { name, outcome: 'failed', reason: 'it has no test_data_set_ folder' }
    const session = openSession(backend, model)
    try {
      for (const set of sets) {
        const wrong = await runSet(session.run, model, join(path, set))
        if (wrong) return { name, outcome: 'failed', reason: `${set}: ${wrong}` }
      }
    } finally {
      session.dispose()
    }
    return { name, outcome: 'passed' }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const known = error instanceof PeerError && error.code.startsWith('MODEL_UNSUPPORTED')
    return { name, outcome: known ? 'unsupported' : 'failed', reason }
  }
}

async function runSet(
  run: (inputs: Tensors) => Promise<Record<string, TypedTensor>>,
  model: Model,
  folder: string,
): Promise<string | undefined> {
  const inputs: Record<string, TypedTensor> = {}
  model.inputs.forEach(({ name }, i) => {
    inputs[name] = readTensor(join(folder, `input_${i}.pb`))
  })
  const got = await run(inputs)
  const many = model.onnx.ops.some(op => sums.has(op.type))
  for (const [i, { name }] of model.outputs.entries()) {
    const wrong = difference(got[name], readTensor(join(folder, `output_${i}.pb`)), many)
    if (wrong) return `the output "${name}" ${wrong}`
  }
}

function readTensor(path: string): TypedTensor {
  const { type, dims, data } = decodeTensorFile(readFileSync(path), path.slice(path.lastIndexOf('/') + 1))
  return fromHost(type, dims, data)
}

function difference(got: TypedTensor, want: TypedTensor, many: boolean): string | undefined {
  if (got.type !== want.type) return `is ${got.type}, not ${want.type}`
  if (shapeText(got.dims) !== shapeText(want.dims)) return `is ${shapeText(got.dims)}, not ${shapeText(want.dims)}`
  // Half floats are compared as numbers, not as bits.
  const [x, y] = [toHost(got), toHost(want)]
  let largest = 0
  for (const value of y) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value))
  const slack = many && isFloat(want.type) ? sumTolerance * largest : 0
  for (let i = 0; i < y.length; i++) {
    if (x[i] === y[i] || (Number.isNaN(x[i]) && Number.isNaN(y[i]))) continue
    if (Math.abs(x[i] - y[i]) <= Math.max(slack, atol + rtol * Math.abs(y[i]))) continue
    return `at ${i} is ${x[i]}, not ${y[i]}`
  }
}
