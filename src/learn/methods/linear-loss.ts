/**
 * The losses of the linear methods on the device: scores of all rows, the loss of each, and the gradient's sums.
 *
 * softmax: -ln of the label's probability. svm: for each class against the rest, max(0, 1 - side * score)^2. linear: the
 * squared error.
 * Numerics: scores and residuals in float32, softmax with its maximum taken off; sums by blocks of rows, then in float64.
 */
import { activations, noActivation } from '../../compute/kernels/activation.ts'
import type { TableShard } from '../../data/tables/types.ts'
import { addBlocks, chunkLength, type Engine, eachChunk } from '../device/engine.ts'
import {
  binaryStep,
  blockProducts,
  blockSums,
  pairwise,
  productStep,
  reduceStep,
  unaryStep,
  withRows,
} from '../device/ops.ts'
import { buildProgram, type ProgramBuilder, type Value } from '../device/program.ts'
import { programKey, type Setting } from '../method.ts'
import type { OptionsOf } from '../options.ts'
import { transformInputs, transformSteps } from '../transform.ts'

export type LinearSetting = Setting<OptionsOf<'softmax'> | OptionsOf<'svm'> | OptionsOf<'linear'>>

/** Rows with what they should give: a place among the classes, or a number less the mean of all. */
export interface LabelledRows {
  /** [rows, features] */
  x: Float32Array
  rows: number
  targets: Float32Array
}

export interface LossSums {
  rows: number
  loss: number
  /** Of the sum of losses: weights [outputs, features], then biases [outputs]. */
  gradient: Float64Array
}

/** The shard's targets, or of the rows that are named. */
export function labelledRows(setting: LinearSetting, shard: TableShard, chosen?: readonly number[]): LabelledRows {
  const { label } = shard
  const wanted = setting.summary.label
  const targets = new Float32Array(shard.rows)
  if (label?.kind === 'class' && wanted.kind === 'class') {
    const places = new Map(wanted.names.map((name, i) => [name, i]))
    const codes = label.names.map(name => places.get(name) ?? Number.NaN)
    for (let r = 0; r < shard.rows; r++) targets[r] = codes[label.codes[r]]
  } else if (label?.kind === 'number' && wanted.kind === 'number') {
    for (let r = 0; r < shard.rows; r++) targets[r] = label.values[r] - wanted.mean
  }
  if (!chosen) return { x: shard.x, rows: shard.rows, targets }
  const d = setting.summary.features
  const x = new Float32Array(chosen.length * d)
  chosen.forEach((row, i) => {
    x.set(shard.x.subarray(row * d, (row + 1) * d), i * d)
  })
  return { x, rows: chosen.length, targets: Float32Array.from(chosen, row => targets[row]) }
}

/** @param model weights [outputs, features], then biases [outputs] */
export async function lossSums(
  setting: LinearSetting,
  engine: Engine,
  model: Float64Array,
  { x: allRows, rows, targets }: LabelledRows,
): Promise<LossSums> {
  const { summary, transform, options } = setting
  const d = summary.features
  const outputs = model.length / (d + 1)
  const weights = Float32Array.from(model.subarray(0, outputs * d))
  const bias = Float32Array.from(model.subarray(outputs * d))
  const length = chunkLength(engine, rows, 2 * d + 6 * outputs)
  const inputs = { ...transformInputs(transform), weights, bias, ...lossConstants(options.method, outputs) }
  const products = new Float64Array(outputs * d)
  const sums = new Float64Array(outputs)
  let loss = 0
  await eachChunk(
    { x: allRows, rows, features: d },
    length,
    ({ x, mask, first }) => {
      const target = new Float32Array(length)
      target.set(targets.subarray(first, Math.min(rows, first + length)))
      return engine.run(programKey(setting, outputs, length), () => lossProgram(setting, length, outputs), {
        ...inputs,
        ...{ x, mask, target },
      })
    },
    (chunk, result) => {
      let part = 0
      for (let r = 0; r < chunk.rows; r++) part += result.loss[r]
      loss += part
      addBlocks(products, result.products)
      addBlocks(sums, result.sums)
    },
  )
  const gradient = new Float64Array(model.length)
  // What the residuals are short of the derivative by.
  const factor = options.method === 'softmax' ? 1 : options.method === 'svm' ? -2 : 2
  products.forEach((value, i) => {
    gradient[i] = factor * value
  })
  sums.forEach((value, i) => {
    gradient[outputs * d + i] = factor * value
  })
  return { rows, loss: options.method === 'softmax' ? -loss : loss, gradient }
}

function lossConstants(method: LinearSetting['options']['method'], outputs: number): Record<string, Float32Array> {
  if (method === 'linear') return {}
  const ids = Float32Array.from({ length: outputs }, (_, i) => i)
  if (method === 'softmax') return { ids }
  const filled = (value: number) => new Float32Array(outputs).fill(value)
  return { ids, two: filled(2), one: filled(1), minusOne: filled(-1) }
}

/** Ports: loss [rows], and by block of rows products [blocks, outputs, features] and sums [blocks, outputs] of residuals. */
function lossProgram({ options, summary, transform }: LinearSetting, rows: number, outputs: number) {
  const d = summary.features
  const b = buildProgram()
  const x = transformSteps(b, transform, rows, d)
  const weights = b.input('weights', outputs * d)
  const bias = b.input('bias', outputs)
  const scores = productStep(b, x, weights, bias, { m: rows, n: outputs, k: d, transposed: true })
  const target = b.input('target', rows)
  const step = { softmax: softmaxSteps, svm: hingeSteps, linear: squareSteps }[options.method]
  const { loss, residual } = step(b, scores, target, rows, outputs)
  const weighed = withRows(b, 'mul', residual, b.input('mask', rows), rows, outputs)
  b.output('loss', loss)
  b.output('products', blockProducts(b, weighed, x, { rows, m: outputs, n: d }))
  b.output('sums', blockSums(b, weighed, rows, outputs))
  return b.finish()
}

/** 1 where a column is the row's class. */
function isClass(b: ProgramBuilder, target: Value, rows: number, outputs: number): Value {
  return binaryStep(b, 'equal', [rows, outputs], [target, [1, 0]], [b.input('ids', outputs), [0, 1]])
}

function softmaxSteps(b: ProgramBuilder, scores: Value, target: Value, rows: number, outputs: number) {
  const count = rows * outputs
  const logs = b.run('softmax', { outer: rows, axis: outputs, inner: 1, log: 1 }, [scores], count)
  const own = isClass(b, target, rows, outputs)
  const loss = reduceStep(b, 'sum', pairwise(b, 'mul', logs, own, count), rows, outputs, 1)
  return { loss, residual: pairwise(b, 'sub', unaryStep(b, 'exp', logs, count), own, count) }
}

/** The residual is side * hinge, half of the derivative, and of the other sign. */
function hingeSteps(b: ProgramBuilder, scores: Value, target: Value, rows: number, outputs: number) {
  const count = rows * outputs
  const [two, one, minusOne] = [b.input('two', outputs), b.input('one', outputs), b.input('minusOne', outputs)]
  const shape = { outer: rows, channels: outputs, inner: 1 }
  const side = b.run('affine', { ...shape, ...noActivation }, [isClass(b, target, rows, outputs), two, minusOne], count)
  const relu = { activation: activations.relu, clipMin: 0, clipMax: 0 }
  const hinge = b.run('affine', { ...shape, ...relu }, [pairwise(b, 'mul', side, scores, count), minusOne, one], count)
  return { loss: reduceStep(b, 'sumSquare', hinge, rows, outputs, 1), residual: pairwise(b, 'mul', side, hinge, count) }
}

function squareSteps(b: ProgramBuilder, scores: Value, target: Value, rows: number) {
  const residual = pairwise(b, 'sub', scores, target, rows)
  return { loss: pairwise(b, 'mul', residual, residual, rows), residual }
}
