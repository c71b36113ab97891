/** Classical models on WebGPU: the labels that WebAssembly gives, and the scores within float32. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import type { Backend } from '../../../src/compute/backends/types.ts'
import { createWasmBackend } from '../../../src/compute/backends/wasm/backend.ts'
import { loadModel } from '../../../src/compute/engine/model.ts'
import { openSession } from '../../../src/compute/engine/session.ts'
import { haveWebGpu } from '../webgpu.ts'
import { type AttributeInit, makeModel } from './make-model.ts'
import { meeting, treeAttributes } from './make-trees.ts'

const features = 6
const random = prng(17)
const floats = (count: number): AttributeInit => ({
  floats: Array.from({ length: count }, () => Math.fround(random.normal())),
})

const names = { strings: ['a', 'b', 'c'] }
const forest = { trees: 12, depth: 6, features, ids: [0, 1, 2], missing: true } as const

const models: [type: string, attributes: Record<string, AttributeInit>][] = [
  [
    'TreeEnsembleClassifier',
    {
      classlabels_strings: names,
      post_transform: 'SOFTMAX',
      ...treeAttributes(random, { ...forest, prefix: 'class' }),
    },
  ],
  [
    'TreeEnsembleRegressor',
    { n_targets: 3, aggregate_function: 'MAX', ...treeAttributes(random, { ...forest, prefix: 'target' }) },
  ],
  [
    'LinearClassifier',
    {
      ...{ classlabels_strings: names, coefficients: floats(3 * features), intercepts: floats(3) },
      post_transform: 'LOGISTIC',
    },
  ],
  [
    'SVMClassifier',
    {
      ...{ classlabels_ints: [3, -1, 2], vectors_per_class: [4, 3, 5], support_vectors: floats(12 * features) },
      ...{ coefficients: floats(24), rho: floats(3), prob_a: floats(3), prob_b: floats(3) },
      ...{ kernel_type: 'RBF', kernel_params: { floats: [0.1, 0, 0] } },
    },
  ],
  [
    'LabelEncoder',
    { keys_floats: { floats: meeting }, values_strings: { strings: meeting.map((_, i) => `#${i % 5}`) } },
  ],
  ['Normalizer', { norm: 'L2' }],
]

const available = await haveWebGpu(`${models.length} classical models on WebGPU`)

describe.skipIf(!available)('on WebGPU', () => {
  let backends: Backend[]
  beforeAll(async () => {
    const { createWebGpuBackend } = await import('../../../src/compute/backends/webgpu/backend.ts')
    backends = [await createWebGpuBackend(), await createWasmBackend()]
  })
  afterAll(() => Promise.all(backends.map(backend => backend.dispose())))

  test.each(models)('%s', async (type, attributes) => {
    const outputs = type.endsWith('Classifier') ? ['label', 'scores'] : ['scores']
    const bytes = makeModel({
      opset: 13,
      domains: { 'ai.onnx.ml': 3 },
      inputs: { x: ['N', features] },
      outputs,
      ops: [{ type, domain: 'ai.onnx.ml', inputs: ['x'], outputs, attributes }],
    })
    const holes = type.startsWith('Tree') ? [Number.NaN] : []
    const data = Float32Array.from({ length: 90 * features }, () =>
      random.int(3) ? random.pick([...meeting.filter(value => Math.abs(value) < 4), ...holes]) : random.normal(),
    )
    const x = { type: 'float32', dims: [90, features], data } as const
    const sessions = backends.map(backend => openSession(backend, loadModel(bytes)))
    const [got, want] = await Promise.all(sessions.map(session => session.run({ x })))
    for (const session of sessions) session.dispose()
    for (const name of outputs) {
      expect(got[name].strings).toEqual(want[name].strings)
      const [mine, other] = [got, want].map(result => Array.from(result[name].data, Number))
      const far = mine.findIndex((value, i) => !(value === other[i] || Math.abs(value - other[i]) <= 2e-5))
      expect([name, far, mine[far], other[far]]).toEqual([name, -1, undefined, undefined])
    }
  })
})
