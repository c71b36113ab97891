/** LinearRegressor, LinearClassifier, SVMRegressor and SVMClassifier against onnxruntime-web. */
import { beforeAll, describe, expect, test } from 'vitest'
import { type Prng, prng } from '../../../src/base/prng.ts'
import type { Backend } from '../../../src/compute/backends/types.ts'
import { createWasmBackend } from '../../../src/compute/backends/wasm/backend.ts'
import { loadModel } from '../../../src/compute/engine/model.ts'
import { openSession } from '../../../src/compute/engine/session.ts'
import { expectAsOnnxruntime } from './against-onnxruntime.ts'
import { type AttributeInit, makeModel } from './make-model.ts'

const features = 4

function mlModel(type: string, attributes: Record<string, AttributeInit>, outputs: Record<string, number>, input = 1) {
  return makeModel({
    opset: 13,
    domains: { 'ai.onnx.ml': 3 },
    inputs: { x: ['N', features] },
    types: { ...outputs, x: input },
    outputs: Object.keys(outputs),
    ops: [{ type, domain: 'ai.onnx.ml', name: 'model', inputs: ['x'], outputs: Object.keys(outputs), attributes }],
  })
}

const normals = (random: Prng, count: number) => Array.from({ length: count }, () => Math.fround(random.normal()))
const floats = (list: readonly number[]): AttributeInit => ({ floats: list })

function rows(random: Prng, count = 21) {
  return {
    type: 'float32',
    dims: [count, features],
    data: Float32Array.from(normals(random, count * features)),
  } as const
}

let backend: Backend
beforeAll(async () => {
  backend = await createWasmBackend()
})

const transforms = ['NONE', 'LOGISTIC', 'SOFTMAX', 'SOFTMAX_ZERO']

describe('LinearRegressor', () => {
  test.each([...transforms, 'PROBIT'])('%s', async post_transform => {
    for (const targets of [1, 3]) {
      for (const intercepts of [[], normals(prng(2), targets)]) {
        const random = prng(targets)
        const scale = post_transform === 'PROBIT' ? 0.01 : 1
        const coefficients = floats(normals(random, targets * features).map(value => value * scale))
        const half = post_transform === 'PROBIT' ? intercepts.map(() => 0.4) : intercepts
        if (post_transform === 'PROBIT' && half.length === 0) continue
        const attributes = { targets, coefficients, intercepts: floats(half), post_transform }
        const bytes = mlModel('LinearRegressor', attributes, { y: 1 })
        await expectAsOnnxruntime(backend, bytes, { x: rows(random) }, { tolerance: 1e-4 })
      }
    }
  })
})

describe('LinearClassifier', () => {
  const classifier = (attributes: Record<string, AttributeInit>, label: number, input = 1) =>
    mlModel('LinearClassifier', attributes, { label, scores: 1 }, input)

  test.each(transforms.flatMap(name => [1, 2, 4].map((n): [string, number] => [name, n])))(
    '%s of %s scores',
    async (post_transform, classes) => {
      const random = prng(classes)
      const coefficients = floats(normals(random, classes * features))
      const own = { coefficients, intercepts: floats(normals(random, classes)), post_transform, multi_class: 1 }
      const labels = Math.max(2, classes)
      const classlabels_ints = [7, -3, 0, 12].slice(0, labels)
      const classlabels_strings = { strings: ['a', 'b', '', 'd'].slice(0, labels) }
      await expectAsOnnxruntime(backend, classifier({ ...own, classlabels_ints }, 7), { x: rows(random) })
      await expectAsOnnxruntime(backend, classifier({ ...own, classlabels_strings }, 8), { x: rows(random) })
    },
  )

  test('integers and doubles as features', async () => {
    const random = prng(8)
    const attributes = {
      coefficients: floats(normals(random, 3 * features)),
      intercepts: floats(normals(random, 3)),
      classlabels_ints: [0, 1, 2],
    }
    const data = BigInt64Array.from({ length: 6 * features }, () => BigInt(random.int(9) - 4))
    await expectAsOnnxruntime(backend, classifier(attributes, 7, 7), {
      x: { type: 'int64', dims: [6, features], data },
    })
    const doubles = Float64Array.from(normals(random, 6 * features))
    const x = { type: 'float64', dims: [6, features], data: doubles } as const
    await expectAsOnnxruntime(backend, classifier(attributes, 7, 11), { x })
  })

  test('coefficients that do not fit are refused by the name of their node', async () => {
    const attributes = { coefficients: floats([1, 2, 3]), intercepts: floats([0, 0]), classlabels_ints: [0, 1] }
    const session = openSession(backend, loadModel(classifier(attributes, 7)))
    await expect(session.run({ x: rows(prng(1)) })).rejects.toThrow(/LinearClassifier "model".*2 x 4 and got 3/)
  })
})

const kernels: [string, number[]][] = [
  ['LINEAR', [0.5, 0.25, 3]],
  ['POLY', [0.5, 0.25, 3]],
  ['POLY', [0.4, 1, 2]],
  ['POLY', [0.05, 4, 2.5]],
  ['RBF', [0.3, 0, 0]],
  ['SIGMOID', [0.2, -0.1, 0]],
]

describe('SVMRegressor', () => {
  test.each(kernels.flatMap(([kind, params]) => [0, 1].map((one): [string, number[], number] => [kind, params, one])))(
    '%s %s, one class: %s',
    async (kernel_type, kernel_params, one_class) => {
      const random = prng(11)
      const attributes = {
        ...{ kernel_type, one_class, n_supports: 7, kernel_params: floats(kernel_params) },
        support_vectors: floats(normals(random, 7 * features)),
        coefficients: floats(normals(random, 7)),
        rho: floats([0.3]),
      }
      await expectAsOnnxruntime(backend, mlModel('SVMRegressor', attributes, { y: 1 }), { x: rows(random) })
    },
  )

  test('without support vectors', async () => {
    const attributes = {
      coefficients: floats(normals(prng(3), features)),
      rho: floats([-0.5]),
      kernel_params: floats([]),
    }
    const bytes = mlModel('SVMRegressor', { ...attributes, n_supports: 0 }, { y: 1 })
    await expectAsOnnxruntime(backend, bytes, { x: rows(prng(4)) })
  })

  test('rows far from zero and near a support vector keep their distance', async () => {
    const random = prng(6)
    const far = Array.from({ length: 5 * features }, () => Math.fround(1000 + random.normal()))
    const attributes = {
      ...{ kernel_type: 'RBF', n_supports: 5, kernel_params: floats([0.2, 0, 0]), rho: floats([0]) },
      support_vectors: floats(far),
      coefficients: floats(normals(random, 5)),
    }
    const x = { ...rows(random, 9), data: Float32Array.from({ length: 9 * features }, () => 1000 + random.normal()) }
    await expectAsOnnxruntime(backend, mlModel('SVMRegressor', attributes, { y: 1 }), { x })
  })
})

describe('SVMClassifier', () => {
  const classifier = (attributes: Record<string, AttributeInit>, label = 7) =>
    mlModel('SVMClassifier', attributes, { label, scores: 1 })
  const names = ['red', 'green', 'blue', 'black']

  function machine(seed: number, classes: number, perClass = [3, 2, 4, 1].slice(0, classes)) {
    const random = prng(seed)
    const count = perClass.reduce((sum, each) => sum + each, 0)
    const pairs = (classes * (classes - 1)) / 2
    return {
      vectors_per_class: perClass,
      support_vectors: floats(normals(random, count * features)),
      coefficients: floats(normals(random, (classes - 1) * count)),
      rho: floats(normals(random, pairs)),
    }
  }

  test.each(kernels)('%s %s', async (kernel_type, kernel_params) => {
    for (const classes of [2, 3, 4]) {
      const own = { kernel_type, kernel_params: floats(kernel_params), ...machine(classes, classes) }
      const classlabels_ints = [5, -1, 2, 0].slice(0, classes)
      const classlabels_strings = { strings: names.slice(0, classes) }
      await expectAsOnnxruntime(
        backend,
        classifier({ ...own, classlabels_ints }),
        { x: rows(prng(5)) },
        { tolerance: 1e-4 },
      )
      await expectAsOnnxruntime(
        backend,
        classifier({ ...own, classlabels_strings }, 8),
        { x: rows(prng(5)) },
        { tolerance: 1e-4 },
      )
    }
  })

  test.each(transforms)('scores of pairs, %s', async post_transform => {
    for (const classes of [2, 3]) {
      const classlabels_ints = [0, 1, 2].slice(0, classes)
      const attributes = { classlabels_ints, post_transform, kernel_params: floats([]), ...machine(9, classes) }
      await expectAsOnnxruntime(backend, classifier(attributes), { x: rows(prng(5)) })
    }
  })

  test.each(transforms)('probabilities from pairs, %s', async post_transform => {
    for (const classes of [2, 3, 4]) {
      const random = prng(classes)
      const pairs = (classes * (classes - 1)) / 2
      const attributes = {
        ...{ post_transform, classlabels_ints: [4, 9, -2, 0].slice(0, classes), kernel_params: floats([0.3, 0, 0]) },
        ...{ kernel_type: 'RBF', ...machine(4, classes) },
        prob_a: floats(normals(random, pairs).map(value => value - 2)),
        prob_b: floats(normals(random, pairs)),
      }
      await expectAsOnnxruntime(backend, classifier(attributes), { x: rows(random, 200) })
    }
  })

  test.each(transforms)('without support vectors, %s', async post_transform => {
    for (const classes of [2, 3]) {
      for (const positive of [false, true]) {
        const random = prng(classes)
        const coefficients = normals(random, classes * features).map(value => (positive ? Math.abs(value) : value))
        const attributes = {
          ...{ post_transform, classlabels_ints: [4, 9, -2].slice(0, classes), kernel_params: floats([]) },
          coefficients: floats(coefficients),
          rho: floats([positive ? 0.2 : -0.4]),
        }
        await expectAsOnnxruntime(backend, classifier(attributes), { x: rows(random) })
      }
    }
  })
})

test('whether scores are probabilities is told from the attributes, behind a label and a ZipMap', () => {
  const zipped = (attributes: Record<string, AttributeInit>) =>
    makeModel({
      opset: 13,
      domains: { 'ai.onnx.ml': 3 },
      inputs: { x: ['N', 2] },
      types: { label: 7 },
      outputs: ['label', 'named'],
      ops: [
        { type: 'LinearClassifier', domain: 'ai.onnx.ml', inputs: ['x'], outputs: ['label', 'scores'], attributes },
        { type: 'ZipMap', domain: 'ai.onnx.ml', inputs: ['scores'], outputs: ['named'] },
      ],
    })
  expect(loadModel(zipped({ post_transform: 'SOFTMAX' })).endsInProbability).toBe(true)
  expect(loadModel(zipped({ post_transform: 'NONE' })).endsInProbability).toBe(false)
})
