/**
 * Classical models that are wrong in thousands of ways, by seeds that replay: good attributes with hostile changes. Each
 * gives one clear error that names its node, or a plan that WebAssembly and the scalar reference compute alike: no walk
 * goes on for ever, and no table is read outside.
 */
import { expect, test } from 'vitest'
import { PeerError } from '../../../src/base/errors.ts'
import { type Prng, prng } from '../../../src/base/prng.ts'
import { createReferenceBackend } from '../../../src/compute/backends/reference/index.ts'
import type { Backend } from '../../../src/compute/backends/types.ts'
import { createWasmBackend } from '../../../src/compute/backends/wasm/backend.ts'
import { loadModel, type Model } from '../../../src/compute/engine/model.ts'
import { type OutputTensor, openSession } from '../../../src/compute/engine/session.ts'
import { mlLowerings } from '../../../src/compute/onnx/ops/ml/index.ts'
import { type AttributeInit, makeModel } from './make-model.ts'
import { treeAttributes } from './make-trees.ts'

type Attributes = Record<string, AttributeInit>

const features = 3
const floats = (random: Prng, count: number): AttributeInit => ({
  floats: Array.from({ length: count }, () => Math.fround(random.normal())),
})

/** What is right for each operator, on rows of three features. */
const good: Record<string, (random: Prng) => Attributes> = {
  ArrayFeatureExtractor: () => ({}),
  Binarizer: () => ({ threshold: { float: 0.5 } }),
  FeatureVectorizer: () => ({ inputdimensions: [features] }),
  Imputer: random => ({ imputed_value_floats: floats(random, features), replaced_value_float: { float: 1 } }),
  LabelEncoder: random => ({ keys_floats: floats(random, 5), values_int64s: [1, 2, 3, 4, 5] }),
  LinearClassifier: random => ({
    ...{ coefficients: floats(random, 2 * features), intercepts: floats(random, 2), classlabels_ints: [0, 5] },
  }),
  LinearRegressor: random => ({ coefficients: floats(random, features), intercepts: floats(random, 1), targets: 1 }),
  Normalizer: () => ({ norm: 'L2' }),
  OneHotEncoder: () => ({ cats_int64s: [0, 1, 2], zeros: 1 }),
  SVMClassifier: random => ({
    ...{
      vectors_per_class: [2, 1, 2],
      support_vectors: floats(random, 5 * features),
      coefficients: floats(random, 10),
    },
    ...{ rho: floats(random, 3), classlabels_ints: [0, 1, 2], kernel_type: 'RBF', kernel_params: floats(random, 3) },
    ...(random.int(2) ? { prob_a: floats(random, 3), prob_b: floats(random, 3) } : {}),
  }),
  SVMRegressor: random => ({
    ...{ n_supports: 4, support_vectors: floats(random, 4 * features), coefficients: floats(random, 4) },
    ...{ rho: floats(random, 1), kernel_type: 'POLY', kernel_params: floats(random, 3) },
  }),
  Scaler: random => ({ offset: floats(random, features), scale: floats(random, features) }),
  TreeEnsemble: random => ({
    ...{ n_targets: 2, tree_roots: [0], leaf_targetids: [0, 1, 1], nodes_featureids: [0, 2] },
    nodes_modes: { tensor: { dims: [2], data: Uint8Array.of(random.int(6), random.int(6)) } },
    nodes_splits: { tensor: { dims: [2], data: Float32Array.of(0.5, -0.5) } },
    leaf_weights: { tensor: { dims: [3], data: Float32Array.of(1, 2, 4) } },
    ...{ nodes_truenodeids: [1, 0], nodes_falsenodeids: [0, 1], nodes_trueleafs: [0, 1], nodes_falseleafs: [1, 1] },
  }),
  TreeEnsembleClassifier: random => ({
    classlabels_int64s: [0, 1, 2],
    ...treeAttributes(random, { prefix: 'class', trees: 3, depth: 3, features, ids: [0, 1, 2], missing: true }),
  }),
  TreeEnsembleRegressor: random => ({
    n_targets: 2,
    ...treeAttributes(random, { prefix: 'target', trees: 3, depth: 3, features, ids: [0, 1], missing: true }),
  }),
  ZipMap: () => ({ classlabels_int64s: [4, 5, 6] }),
}

const absurd = [0, -1, 1, 2, 7, 65_537, 2 ** 31, -(2 ** 31), 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]

/** A list with one element changed, left out or added, or all of it gone. */
function spoilt<T>(random: Prng, list: readonly T[], other: () => T): T[] {
  const at = random.int(list.length + 1)
  switch (random.int(6)) {
    case 0:
      return list.filter((_, i) => i !== at)
    case 1:
      return [...list, other()]
    case 2:
      return []
    default:
      return list.map((value, i) => (i === at ? other() : value))
  }
}

function changed(random: Prng, value: AttributeInit): AttributeInit {
  const real = () => random.pick([...absurd, random.normal()])
  const whole = () => (random.int(2) ? random.int(8) - 2 : random.pick(absurd.filter(Number.isInteger)))
  if (typeof value === 'number') return whole()
  if (typeof value === 'string') return random.pick(['', 'ODD', 'SOFTMAX', 'LINEAR', 'PROBIT', 'MAX'])
  if ('float' in value) return { float: real() }
  if ('floats' in value) return { floats: spoilt(random, value.floats, real) }
  if ('strings' in value)
    return { strings: spoilt(random, value.strings, () => random.pick(['LEAF', 'BRANCH_GT', ''])) }
  return 'tensor' in value || 'ref' in value ? value : spoilt(random, value, whole)
}

function randomModel(random: Prng): Uint8Array {
  const type = random.pick(Object.keys(good))
  const attributes = good[type](random)
  for (let changes = random.int(3); changes > 0; changes--) {
    const name = random.pick([...Object.keys(attributes), 'post_transform'])
    const value = attributes[name]
    if (value !== undefined && random.int(6) === 0) delete attributes[name]
    else attributes[name] = value === undefined ? changed(random, '') : changed(random, value)
  }
  const inputs = type === 'ArrayFeatureExtractor' ? ['x', 'places'] : ['x']
  return makeModel({
    opset: 13,
    domains: { 'ai.onnx.ml': 5 },
    inputs: { x: ['N', features] },
    constants: { places: { dims: [2], data: [random.int(5) - 1, 0] } },
    outputs: /Classifier/.test(type) ? ['y', 'z'] : ['y'],
    ops: [
      {
        type,
        domain: 'ai.onnx.ml',
        name: 'spoilt',
        inputs,
        outputs: /Classifier/.test(type) ? ['y', 'z'] : ['y'],
        attributes,
      },
    ],
  })
}

async function run(backend: Backend, model: Model, random: Prng): Promise<Record<string, OutputTensor>> {
  const data = Float32Array.from({ length: 5 * features }, () =>
    random.int(4) ? random.normal() : random.pick([1, Number.NaN]),
  )
  const session = openSession(backend, model)
  try {
    return await session.run({ x: { type: 'float32', dims: [5, features], data } })
  } finally {
    session.dispose()
  }
}

test('every operator of the domain is spoilt', () => {
  expect(Object.keys(good).sort()).toEqual([...mlLowerings.keys()].sort())
})

test('2,000 spoilt models', { timeout: 60_000 }, async () => {
  const [wasm, reference] = [await createWasmBackend(), createReferenceBackend()]
  const seen = new Map<string, number>()
  for (let seed = 0; seed < 2000; seed++) {
    const bytes = randomModel(prng(seed))
    let code = 'fine'
    try {
      const model = loadModel(bytes)
      const [got, want] = [await run(wasm, model, prng(seed)), await run(reference, model, prng(seed))]
      for (const [name, { data }] of Object.entries(want)) {
        const far = Array.from(data, Number).findIndex((value, i) => !close(Number(got[name].data[i]), value))
        if (far >= 0) throw new Error(`${name} at ${far}: ${got[name].data[far]} and not ${data[far]}`)
      }
    } catch (error) {
      if (!(error instanceof PeerError)) throw new Error(`seed ${seed}: ${error}`, { cause: error })
      if (error.message.includes('\n') || !error.message.includes('"spoilt"'))
        throw new Error(`seed ${seed}: ${error.message}`)
      code = error.code
    }
    seen.set(code, (seen.get(code) ?? 0) + 1)
  }
  await wasm.dispose()
  expect(seen.get('fine')).toBeGreaterThan(500)
  expect(seen.get('MODEL_BAD_OP')).toBeGreaterThan(250)
})

/** Sums of huge numbers, and functions of them, are what they are; ordinary ones agree. */
function close(got: number, want: number): boolean {
  if (Number.isNaN(want) || Math.abs(want) > 1e3) return Number.isNaN(want) || !(Math.abs(got) < 1e2)
  return Math.abs(got - want) <= 1e-3 * Math.max(1, Math.abs(want))
}
