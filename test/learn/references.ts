/**
 * What every backend must learn: scikit-learn's results, from the same starting points. Tolerances: mixtures 1e-4 and equal
 * labels, inertia 1e-6 and equal labels, objectives 1e-5 of the optimum and accuracies equal to one row, components 1e-4.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Backend } from '../../src/compute/backends/types.ts'
import { type Engine, openEngine } from '../../src/learn/device/engine.ts'
import { hashTable, makeModelCard } from '../../src/learn/export/model-card.ts'
import { exportOnnx } from '../../src/learn/export/onnx.ts'
import type { TrainInit } from '../../src/learn/options.ts'
import { parseTrainOptions } from '../../src/learn/options.ts'
import { train } from '../../src/learn/train.ts'
import { createTraining } from '../../src/learn/training.ts'
import { fromMethod } from '../../src/learn/transform.ts'
import { relative, trainOn } from './drive.ts'
import { runFeatures } from './ort.ts'
import {
  digits,
  flat,
  gmmReference,
  kmeansReference,
  pcaReference,
  plain,
  reference,
  softmaxReference,
  svmReference,
} from './reference-data.ts'
import { cut as cutTable, type PlainTable } from './shards.ts'

export const [trainRows, perDigit] = [1200, 16]

/** The model that was learnt, as a file, on these rows. */
async function scored(engine: Engine, init: TrainInit, table: PlainTable, rows: number[][], sizes: number[]) {
  const shards = cutTable(table, sizes)
  const training = createTraining(parseTrainOptions(init), shards[0].columns)
  const result = await train(training, shards, [engine])
  const card = makeModelCard(training, result, { dataHash: hashTable(shards) })
  const file = exportOnnx(result.model, result.setting, card)
  return { result, outputs: await runFeatures(file, rows) }
}

function wrongRows(labels: readonly number[], classes: readonly string[]): number {
  return labels.filter((label, i) => String(label) !== classes[i]).length
}

/** @param cut whether tables come in several shards: a software GPU takes its time for each run */
export function describeReferences(label: string, make: () => Promise<Backend | undefined>, cut = true): void {
  const sizes = (...rows: number[]) => (cut ? rows : [])
  describe(`${label} learns what scikit-learn does`, () => {
    let backend: Backend | undefined
    let engine: Engine
    beforeAll(async () => {
      backend = await make()
      if (backend) engine = openEngine(backend)
    }, 60_000)
    afterAll(async () => {
      engine?.dispose()
      await backend?.dispose()
    })

    test('k-means on digits', { timeout: 60_000 }, async context => {
      if (!backend) return context.skip()
      const want = reference('kmeans-digits', kmeansReference)
      const { features } = digits()
      const init: TrainInit = { method: 'kmeans', k: 10, divide: perDigit, init: features.slice(0, 10), tolerance: 0 }
      const { result, outputs } = await scored(engine, init, { rows: features }, features, sizes(700, 600))
      expect(Math.abs(result.objective / want.inertia - 1)).toBeLessThan(1e-6)
      expect(outputs.label).toEqual(want.labels)
    })

    const mixtures = ['iris-full', 'iris-diag', 'iris-tied', 'iris-spherical', 'wine-full', 'digits-diag']
    test.each(mixtures)('a mixture on %s', { timeout: 60_000 }, async (name, ...rest) => {
      if (!backend) return skip(rest)
      const want = reference(`gmm-${name}`, gmmReference)
      const wine = name.startsWith('wine')
      const { features } = name.startsWith('digits') ? digits() : plain(wine ? 'wine_data' : 'iris')
      const places = Array.from({ length: want.k }, (_, i) => Math.trunc((i * (features.length - 1)) / (want.k - 1)))
      const init: TrainInit = {
        ...{ method: 'gmm', k: want.k, covariance: want.covariance, regCovar: want.reg_covar },
        ...{ tolerance: 1e-9, roundsMax: 500, init: places.map(place => features[place]) },
        ...(wine && { standardise: 'standard' }),
        ...(name.startsWith('digits') && { divide: perDigit }),
      }
      const { result, outputs } = await scored(
        engine,
        init,
        { rows: features },
        features,
        sizes(Math.ceil(features.length / 2)),
      )
      if (result.model.kind !== 'gmm') throw new Error('a mixture was asked for')
      const { weights, means, covariances } = result.model
      expect(Math.abs(result.objective / want.mean_log_likelihood - 1)).toBeLessThan(1e-4)
      expect(relative(weights, want.weights)).toBeLessThan(1e-4)
      // Standardised features are the reference's own; else what was divided is still divided.
      const divide = init.divide ?? 1
      const d = features[0].length
      const inUnits = wine ? means : fromMethod(result.setting.transform, means, d).map(value => value / divide)
      expect(relative(inUnits, want.means.flat())).toBeLessThan(1e-4)
      expect(relative(covariances, flat(want.covariances))).toBeLessThan(1e-4)
      expect(outputs.label).toEqual(want.labels)
      const first = want.first_rows_responsibilities.flat()
      first.forEach((value, i) => {
        expect(Math.abs(outputs.probabilities[i] - value)).toBeLessThan(1e-4)
      })
    })

    test.each(['1.0', '0.01'])('softmax on digits, C %s', { timeout: 60_000 }, async (c, ...rest) => {
      if (!backend) return skip(rest)
      const want = reference(`softmax-digits-C${c}`, softmaxReference)
      const { features, classes } = digits()
      const table = { rows: features.slice(0, trainRows), classes: classes.slice(0, trainRows) }
      const init: TrainInit = { method: 'softmax', c: want.C, divide: perDigit, tolerance: 1e-7 }
      const { result, outputs } = await scored(engine, init, table, features, sizes(500, 400))
      expect(Math.abs(result.objective / want.objective - 1)).toBeLessThan(1e-5)
      expectAccuracies(outputs.label, classes, want)
    })

    test('support vector machines on digits', { timeout: 60_000 }, async context => {
      if (!backend) return context.skip()
      const want = reference('linear-svm-digits', svmReference)
      const { features, classes } = digits()
      const table = { rows: features.slice(0, trainRows), classes: classes.slice(0, trainRows) }
      const init: TrainInit = { method: 'svm', c: want.C, divide: perDigit, tolerance: 1e-7 }
      const { result, outputs } = await scored(engine, init, table, features, sizes(500, 400))
      const optimum = hingeObjective(want, table)
      expect(Math.abs(result.objective / optimum - 1)).toBeLessThan(1e-5)
      expectAccuracies(outputs.label, classes, want)
    })

    test.each(['covariance', 'randomised'] as const)(
      'components of digits, %s',
      { timeout: 60_000 },
      async (solver, ...rest) => {
        if (!backend) return skip(rest)
        const want = reference('pca-digits', pcaReference)
        const { features } = digits()
        const init: TrainInit = { method: 'pca', components: 16, solver, divide: perDigit }
        const { model } = await trainOn(engine, init, { rows: features }, sizes(500, 500))
        if (model.kind !== 'pca') throw new Error('components were asked for')
        want.components.forEach((row, c) => {
          const got = model.directions.subarray(c * 64, (c + 1) * 64)
          const sign = Math.sign(row.reduce((sum, value, i) => sum + value * got[i], 0))
          row.forEach((value, i) => {
            expect(Math.abs(sign * got[i] - value)).toBeLessThan(1e-4)
          })
        })
        expect(relative(model.variances, want.explained_variance)).toBeLessThan(1e-5)
      },
    )
  })
}

/** vitest gives a context after a case's own values. */
function skip(rest: readonly unknown[]): void {
  const context = rest.at(-1)
  if (typeof context === 'object' && context && 'skip' in context && typeof context.skip === 'function') context.skip()
}

export function expectAccuracies(
  labels: readonly number[],
  classes: readonly string[],
  want: { train_accuracy: number; test_accuracy: number },
): void {
  const known = wrongRows(labels.slice(0, trainRows), classes.slice(0, trainRows))
  const unknown = wrongRows(labels.slice(trainRows), classes.slice(trainRows))
  expect(Math.abs(known - (1 - want.train_accuracy) * trainRows)).toBeLessThan(1.001)
  expect(Math.abs(unknown - (1 - want.test_accuracy) * (classes.length - trainRows))).toBeLessThan(1.001)
}

/** 0.5 |w, b|² + C * sum of squared hinges, of the reference's weights. */
export function hingeObjective(want: { C: number; weights: number[][]; bias: number[] }, table: PlainTable): number {
  let value = 0
  want.weights.forEach((weights, k) => {
    value += (weights.reduce((sum, w) => sum + w * w, 0) + want.bias[k] ** 2) / 2
    table.rows.forEach((row, i) => {
      const score = row.reduce((sum, x, j) => sum + (x / perDigit) * weights[j], want.bias[k])
      const side = table.classes?.[i] === String(k) ? 1 : -1
      value += want.C * Math.max(0, 1 - side * score) ** 2
    })
  })
  return value
}
