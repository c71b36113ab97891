/** Whole models as exporters of scikit-learn, XGBoost and LightGBM write them, against onnxruntime-web. */
import { beforeAll, expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import type { Backend } from '../../../src/compute/backends/types.ts'
import { createWasmBackend } from '../../../src/compute/backends/wasm/backend.ts'
import { loadModel } from '../../../src/compute/engine/model.ts'
import { openSession, type TextTensor } from '../../../src/compute/engine/session.ts'
import type { TypedTensor } from '../../../src/compute/tensor/element-type.ts'
import { expectAsOnnxruntime } from './against-onnxruntime.ts'
import { type AttributeInit, type ModelInit, makeModel, type OpInit } from './make-model.ts'
import { treeAttributes } from './make-trees.ts'

/** TensorProto.DataType */
const [float32, int64, text] = [1, 7, 8]
const domains = { 'ai.onnx.ml': 3 }
const random = prng(2026)
const normals = (count: number) => Array.from({ length: count }, () => Math.fround(random.normal()))
const floats = (list: readonly number[]): AttributeInit => ({ floats: list })
const classes = { strings: ['setosa', 'versicolor', 'virginica'] }

const ml = (type: string, inputs: string[], outputs: string[], attributes: Record<string, AttributeInit>): OpInit => ({
  ...{ type, domain: 'ai.onnx.ml', inputs, outputs, attributes },
})

const table = (rows: number, columns: number) => {
  const data = Float32Array.from(normals(rows * columns))
  return { type: 'float32', dims: [rows, columns], data } as const
}

let backend: Backend
beforeAll(async () => {
  backend = await createWasmBackend()
})

/** The model without its last ZipMap, which the judge cannot show, and then with it. */
async function hold(
  init: ModelInit,
  inputs: Record<string, TypedTensor | TextTensor>,
  zip?: { classlabels_strings: { strings: string[] } },
) {
  const got = await expectAsOnnxruntime(backend, makeModel(init), inputs)
  if (!zip) return
  const ops = [...init.ops, ml('ZipMap', ['probabilities'], ['output_probability'], zip)]
  const zipped = makeModel({ ...init, ops, outputs: ['label', 'output_probability'] })
  const session = openSession(backend, loadModel(zipped))
  const { output_probability: map } = await session.run(inputs)
  session.dispose()
  expect(map.data).toEqual(got.probabilities.data)
  expect(map.columns).toEqual(zip.classlabels_strings.strings)
}

test('a scaler and a logistic regression', async () => {
  const ops = [
    ml('Scaler', ['x'], ['scaled'], { offset: floats(normals(4)), scale: floats([1, 2, 0.5, 3]) }),
    ml('LinearClassifier', ['scaled'], ['label', 'raw'], {
      ...{ coefficients: floats(normals(12)), intercepts: floats(normals(3)), multi_class: 1 },
      ...{ classlabels_strings: classes, post_transform: 'LOGISTIC' },
    }),
    ml('Normalizer', ['raw'], ['probabilities'], { norm: 'L1' }),
  ]
  const outputs = ['label', 'probabilities']
  const init = { opset: 15, domains, inputs: { x: ['N', 4] }, types: { label: text }, outputs, ops }
  await hold(init, { x: table(30, 4) }, { classlabels_strings: classes })
})

test('columns of strings and numbers by themselves, filled up, encoded, joined, and a forest', async () => {
  const cities = ['Bern', 'Genf', 'Zug']
  const trees = { prefix: 'class', trees: 9, depth: 4, features: 5, ids: [0, 1, 2], entries: 'all' } as const
  const ops: OpInit[] = [
    ml('OneHotEncoder', ['city'], ['hot3'], { cats_strings: { strings: cities }, zeros: 1 }),
    { type: 'Reshape', inputs: ['hot3', 'shape'], outputs: ['hot'] },
    { type: 'Concat', inputs: ['age', 'income'], outputs: ['numbers'], attributes: { axis: 1 } },
    ml('Imputer', ['numbers'], ['filled'], {
      ...{ imputed_value_floats: floats([0.5, -1]), replaced_value_float: { float: Number.NaN } },
    }),
    { type: 'Concat', inputs: ['filled', 'hot'], outputs: ['features'], attributes: { axis: 1 } },
    ml('TreeEnsembleClassifier', ['features'], ['label', 'probabilities'], {
      ...{ classlabels_strings: classes, post_transform: 'NONE' },
      ...treeAttributes(random, { ...trees, modes: ['BRANCH_LEQ'], weight: () => random.next() / 27 }),
    }),
  ]
  const column: (number | string)[] = ['N', 1]
  const init: ModelInit = {
    ...{ opset: 15, domains, inputs: { city: column, age: column, income: column }, ops },
    ...{ types: { city: text, label: text }, outputs: ['label', 'probabilities'] },
    constants: { shape: { dims: [2], data: [-1, 3] } },
  }
  const income = Float32Array.from(normals(40), (value, i) => (i % 7 ? value : Number.NaN))
  const city = Array.from({ length: 40 }, () => random.pick([...cities, 'Chur']))
  const inputs = {
    ...{ city: { type: 'string', dims: [40, 1], data: city } as const, age: table(40, 1) },
    income: { type: 'float32', dims: [40, 1], data: income } as const,
  }
  await hold(init, inputs, { classlabels_strings: classes })
})

test('XGBoost: two classes by one logit, a base value, NaN to its learnt side', async () => {
  const ops = [
    ml('TreeEnsembleClassifier', ['x'], ['label', 'probabilities'], {
      ...{ classlabels_int64s: [0, 1], post_transform: 'LOGISTIC', base_values: floats([-0.25]) },
      ...treeAttributes(random, {
        ...{ prefix: 'class', trees: 40, depth: 5, features: 6, ids: [0], modes: ['BRANCH_LT'], missing: true },
      }),
    }),
  ]
  const outputs = ['label', 'probabilities']
  const x = table(50, 6)
  x.data.fill(Number.NaN, 3, 20)
  await hold({ opset: 15, domains, inputs: { x: ['N', 6] }, types: { label: int64 }, outputs, ops }, { x })
})

test('XGBoost: several classes, each with trees of its own', async () => {
  const ops = [
    ml('TreeEnsembleClassifier', ['x'], ['label', 'probabilities'], {
      ...{ classlabels_int64s: [0, 1, 2], post_transform: 'SOFTMAX', base_values: floats([0.5, 0.5, 0.5]) },
      ...treeAttributes(random, {
        ...{ prefix: 'class', trees: 30, depth: 4, features: 6, ids: [0, 1, 2], entries: 'of-tree' },
        ...{ modes: ['BRANCH_LT'], missing: true },
      }),
    }),
  ]
  const outputs = ['label', 'probabilities']
  await hold(
    { opset: 15, domains, inputs: { x: ['N', 6] }, types: { label: int64 }, outputs, ops },
    { x: table(50, 6) },
  )
})

test('LightGBM: a regression with categories as chains of equalities', async () => {
  const ops = [
    ml('TreeEnsembleRegressor', ['x'], ['summed'], {
      n_targets: 1,
      ...treeAttributes(random, {
        ...{ prefix: 'target', trees: 25, depth: 9, features: 3, ids: [0], modes: ['BRANCH_LEQ', 'BRANCH_EQ'] },
        thresholds: [0, 1, 2, 3, 4, 5],
      }),
    }),
    { type: 'Exp', inputs: ['summed'], outputs: ['y'] },
  ]
  const data = Float32Array.from({ length: 90 }, () => random.int(7))
  const x = { type: 'float32', dims: [30, 3], data } as const
  const init = { opset: 15, domains, inputs: { x: ['N', 3] }, types: { y: float32 }, outputs: ['summed'], ops }
  await hold(init, { x })
})

test('a vote of two machines, labels by the place of the best', async () => {
  const machine = (name: string) => [
    ml('SVMRegressor', ['x'], [`${name}_score`], {
      ...{ kernel_type: 'RBF', kernel_params: floats([0.4, 0, 3]), n_supports: 6, rho: floats(normals(1)) },
      ...{ support_vectors: floats(normals(18)), coefficients: floats(normals(6)) },
    }),
  ]
  const ops: OpInit[] = [
    ...['a', 'b', 'c'].flatMap(machine),
    { type: 'Concat', inputs: ['a_score', 'b_score', 'c_score'], outputs: ['scores'], attributes: { axis: 1 } },
    { type: 'Softmax', inputs: ['scores'], outputs: ['probabilities'], attributes: { axis: 1 } },
    { type: 'ArgMax', inputs: ['scores'], outputs: ['best'], attributes: { axis: 1, keepdims: 0 } },
    ml('ArrayFeatureExtractor', ['names', 'best'], ['named'], {}),
    { type: 'Reshape', inputs: ['named', 'shape'], outputs: ['label'] },
  ]
  const init: ModelInit = {
    ...{
      opset: 15,
      domains,
      inputs: { x: ['N', 3] },
      types: { label: text },
      outputs: ['label', 'probabilities'],
      ops,
    },
    constants: { names: { dims: [3], data: classes.strings }, shape: { dims: [1], data: [-1] } },
  }
  await hold(init, { x: table(30, 3) }, { classlabels_strings: classes })
})
