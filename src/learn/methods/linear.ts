/**
 * The linear methods: multinomial logistic regression (`softmax`), one-vs-rest support vector machines with squared hinge
 * (`svm`), least squares and ridge regression (`linear`). One model vector: weights [outputs, features], then biases.
 *
 * Objectives: softmax c * sum of log losses + |W|²/2; svm c * sum of hinges² + |W and b|²/2; linear sum of errors² +
 * alpha * |W|². The solvers are in solvers/; `normal` solves linear's normal equations, whose sums are its partial.
 */

import { PeerError } from '../../base/errors.ts'
import type { TableShard } from '../../data/tables/types.ts'
import type { Arrays, Layout } from '../arrays.ts'
import { addBlocks, chunkLength, type Engine, eachChunk } from '../device/engine.ts'
import { blockProducts, withRows } from '../device/ops.ts'
import { buildProgram } from '../device/program.ts'
import { cholesky, solveCholesky } from '../linear-algebra.ts'
import { type Method, programKey, type Setting, type TrainedModel, type Update } from '../method.ts'
import { badOption, type OptionsOf } from '../options.ts'
import { lbfgsLayout, lbfgsStart, lbfgsStep } from '../solvers/lbfgs.ts'
import { batchRows, type DescentOptions, descentLayout, descentStart, descentStep } from '../solvers/minibatch.ts'
import { transformInputs, transformSteps } from '../transform.ts'
import { type LinearSetting, labelledRows, lossSums } from './linear-loss.ts'

type LinearOptions = LinearSetting['options']

/** Models of one training: one for each class, or one number. */
export function outputsOf({ options, summary }: LinearSetting): number {
  if (options.method === 'linear') return 1
  return summary.label.kind === 'class' ? summary.label.names.length : 0
}

const lengthOf = (setting: LinearSetting) => outputsOf(setting) * (setting.summary.features + 1)

/** A solver that takes a batch, or undefined. */
function descent(options: LinearOptions): DescentOptions | undefined {
  const { solver } = options
  return solver === 'sgd' || solver === 'adam' ? { ...options, solver } : undefined
}

function linearMethod<O extends LinearOptions>(name: string): Method<O> {
  return {
    objective: { name, falls: true },
    parameterLayout(setting: Setting<O>): Layout {
      const n = lengthOf(setting)
      if (setting.options.solver === 'normal') return { trial: n }
      return descent(setting.options) ? descentLayout(n) : lbfgsLayout(n)
    },
    partialLayout(setting: Setting<O>): Layout {
      const d = setting.summary.features
      if (setting.options.solver === 'normal') return { products: (d + 2) * (d + 2) }
      return { rows: 1, loss: 1, gradient: lengthOf(setting) }
    },
    start(setting: Setting<O>): Arrays {
      checkLabel(setting)
      const model = new Float64Array(lengthOf(setting))
      if (setting.options.solver === 'normal') return { trial: model }
      return descent(setting.options) ? descentStart(model) : lbfgsStart(model)
    },
    async partial(setting: Setting<O>, engine: Engine, parameters: Arrays, shard: TableShard, round: number) {
      if (setting.options.solver === 'normal') return normalSums(setting, engine, shard)
      const batch = descent(setting.options)
      const chosen = batch && batchRows(shard, setting.summary.rows, round, batch)
      const { rows, loss, gradient } = await lossSums(
        setting,
        engine,
        parameters.trial,
        labelledRows(setting, shard, chosen),
      )
      return { rows: Float64Array.of(rows), loss: Float64Array.of(loss), gradient }
    },
    update(setting: Setting<O>, parameters: Arrays, merged: Arrays): Update {
      if (setting.options.solver === 'normal') return solveNormal(setting, merged)
      return descend(setting, parameters, merged)
    },
    model: (setting: Setting<O>, { trial }) => linearModel(setting, trial),
  }
}

export const softmax: Method<OptionsOf<'softmax'>> = linearMethod('c * log loss + |w|²/2')
export const svm: Method<OptionsOf<'svm'>> = linearMethod('c * squared hinge + |w|²/2')
export const linear: Method<OptionsOf<'linear'>> = linearMethod('squared error + alpha * |w|²')

function checkLabel(setting: LinearSetting): void {
  const { options, summary } = setting
  const wanted = options.method === 'linear' ? 'number' : 'class'
  if (summary.label.kind !== wanted) {
    throw new PeerError({
      code: 'LEARN_NO_LABEL',
      kind: 'input',
      message: `${options.method} learns from a label that is a ${wanted}; name its column`,
    })
  }
  if (options.method !== 'linear' && outputsOf(setting) < 2) {
    throw badOption('label', 'has one class alone; there is nothing to tell apart')
  }
}

function linearModel({ options, summary }: LinearSetting, model: Float64Array): TrainedModel {
  const outputs = model.length / (summary.features + 1)
  const bias = model.slice(outputs * summary.features)
  // Targets were taken less their mean.
  if (summary.label.kind === 'number') bias[0] += summary.label.mean
  return { kind: options.method, outputs, weights: model.slice(0, outputs * summary.features), bias }
}

/** Objective and gradient of the whole, out of the sums over rows: loss times `share` of the rows, plus the penalty. */
function penalised(setting: LinearSetting, model: Float64Array, merged: Arrays, share: number) {
  const { options, summary } = setting
  const factor = (options.method === 'linear' ? 1 : options.c) * share
  const penalty = options.method === 'linear' ? 2 * options.alpha : 1
  const weights = outputsOf(setting) * summary.features
  const last = options.method === 'svm' ? model.length : weights
  let value = factor * merged.loss[0]
  const gradient = merged.gradient.map(g => factor * g)
  for (let i = 0; i < last; i++) {
    // The device had the model in float32.
    const w = Math.fround(model[i])
    value += (penalty / 2) * w * w
    gradient[i] += penalty * w
  }
  return { value, gradient }
}

function descend(setting: LinearSetting, parameters: Arrays, merged: Arrays): Update {
  const { options, summary } = setting
  const batch = descent(options)
  const share = batch ? summary.rows / Math.max(1, merged.rows[0]) : 1
  const { value, gradient } = penalised(setting, parameters.trial, merged, share)
  const scale = (options.method === 'linear' ? 1 : options.c) * summary.rows
  const next = batch
    ? descentStep(
        parameters,
        gradient.map(g => g / scale),
        summary.rows,
        batch,
      )
    : lbfgsStep(parameters, value, gradient, { gradientMax: options.tolerance * scale })
  return { ...next, objective: value }
}

/** Sums of products of (x', 1, y) with itself, [d + 2, d + 2], all in one. */
async function normalSums(setting: LinearSetting, engine: Engine, shard: TableShard): Promise<Arrays> {
  const { summary, transform } = setting
  const d = summary.features
  const side = d + 2
  const { x: allRows, rows, targets } = labelledRows(setting, shard)
  const length = chunkLength(engine, rows, 4 * d)
  const products = new Float64Array(side * side)
  const plain = new Float64Array(d * d)
  const edge = new Float64Array(2 * d)
  await eachChunk(
    { x: allRows, rows, features: d },
    length,
    ({ x, mask, first }) => {
      // Beside the features: a one and the target, both 0 where a row is not real.
      const beside = new Float32Array(2 * length)
      for (let r = 0; r < length; r++) beside[2 * r] = mask[r]
      for (let r = 0; r < Math.min(length, rows - first); r++) beside[2 * r + 1] = targets[first + r]
      const inputs = { ...transformInputs(transform), x, mask, beside }
      return engine.run(programKey(setting, 'normal', length), () => normalProgram(setting, length), inputs)
    },
    (_, result) => {
      addBlocks(plain, result.products)
      addBlocks(edge, result.edge)
    },
  )
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < d; j++) products[i * side + j] = plain[i * d + j]
    for (let j = 0; j < 2; j++) products[i * side + d + j] = products[(d + j) * side + i] = edge[j * d + i]
  }
  for (const target of targets) {
    products[d * side + d] += 1
    products[d * side + d + 1] += target
    products[(d + 1) * side + d + 1] += target * target
  }
  products[(d + 1) * side + d] = products[d * side + d + 1]
  return { products }
}

function normalProgram({ summary, transform }: LinearSetting, rows: number) {
  const d = summary.features
  const b = buildProgram()
  const x = transformSteps(b, transform, rows, d)
  const real = withRows(b, 'mul', x, b.input('mask', rows), rows, d)
  b.output('products', blockProducts(b, real, x, { rows, m: d, n: d }))
  b.output('edge', blockProducts(b, b.input('beside', 2 * rows), x, { rows, m: 2, n: d }))
  return b.finish()
}

/** Weights and bias by Cholesky; a direction that the rows do not span gets a weight of about nothing. */
function solveNormal(setting: LinearSetting, { products }: Arrays): Update {
  const { options, summary } = setting
  const d = summary.features
  const side = d + 2
  const n = d + 1
  const alpha = options.method === 'linear' ? options.alpha : 0
  const matrix = new Float64Array(n * n)
  const right = new Float64Array(n)
  let largest = 0
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) matrix[i * n + j] = products[i * side + j]
    right[i] = products[i * side + d + 1]
    largest = Math.max(largest, matrix[i * n + i])
  }
  for (let i = 0; i < d; i++) matrix[i * n + i] += alpha
  let lower = cholesky(matrix, n)
  for (let ridge = 1e-12 * largest; !lower; ridge *= 100) {
    const held = matrix.slice()
    for (let i = 0; i < d; i++) held[i * n + i] += ridge
    lower = cholesky(held, n)
    if (!lower && !(ridge < largest)) {
      throw new PeerError({
        code: 'LEARN_SINGULAR',
        kind: 'input',
        message: 'the features do not determine a regression; give alpha a value above 0',
      })
    }
  }
  const model = solveCholesky(lower, right, n, 1)
  let objective = products[(d + 1) * side + d + 1]
  for (let i = 0; i < n; i++) {
    objective -= 2 * model[i] * right[i]
    for (let j = 0; j < n; j++) objective += model[i] * model[j] * matrix[i * n + j]
  }
  return { arrays: { trial: model }, objective, done: true }
}
