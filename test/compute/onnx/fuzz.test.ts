/**
 * Models that are wrong in thousands of ways, by seeds that replay: real networks with changed bytes, and graphs of every kind of
 * operator with hostile attributes, shapes and constants. Each gives a plan or one clear error; none crashes, hangs or
 * reads outside.
 */
import { describe, expect, test } from 'vitest'
import { PeerError } from '../../../src/base/errors.ts'
import { type Prng, prng } from '../../../src/base/prng.ts'
import { graphOf, loadModel, type Model, planModel } from '../../../src/compute/engine/model.ts'
import { lowerings } from '../../../src/compute/onnx/ops/index.ts'
import { sharedModels } from '../shared-models.ts'
import { type AttributeInit, makeModel, type TensorInit } from './make-model.ts'

/** `fine`, or the code of the PeerError; anything else that is thrown fails the test, with the seed. */
function outcome(seed: number, plan: () => void): string {
  try {
    plan()
    return 'fine'
  } catch (error) {
    if (!(error instanceof PeerError)) throw new Error(`seed ${seed}: ${error}`, { cause: error })
    if (error.message.includes('\n')) throw new Error(`seed ${seed}: more than one line: ${error.message}`)
    return error.code
  }
}

function planAny(model: Model): void {
  planModel(model, { batch: model.fixedBatch ?? 1 })
}

const absurd = [0, -1, 1, 2, 7, -7, 65_537, 2 ** 31, -(2 ** 31), 2 ** 53]

function number(random: Prng): number {
  return random.int(3) ? random.int(5) - 1 : random.pick(absurd)
}

const attributeNames = [
  ...['axis', 'axes', 'perm', 'pads', 'strides', 'dilations', 'kernel_shape', 'group', 'keepdims', 'mode', 'auto_pad'],
  ...[
    'ceil_mode',
    'output_shape',
    'output_padding',
    'blocksize',
    'to',
    'k',
    'size',
    'num_groups',
    'batch_dims',
    'upper',
  ],
  ...[
    'equation',
    'reduction',
    'split',
    'num_outputs',
    'starts',
    'ends',
    'scales',
    'sizes',
    'epsilon',
    'select_last_index',
  ],
  ...['coordinate_transformation_mode', 'nearest_mode', 'antialias', 'exclude_outside', 'keep_aspect_ratio_policy'],
  ...['block_size', 'output_dtype', 'storage_order', 'count_include_pad', 'transA', 'transB', 'alpha', 'dtype', 'fmod'],
]

const words = [
  ...[
    '',
    'linear',
    'cubic',
    'nearest',
    'reflect',
    'edge',
    'wrap',
    'SAME_UPPER',
    'VALID',
    'add',
    'CRD',
    'align_corners',
  ],
  ...['tf_crop_and_resize', 'ij,jk->ik', 'ii->i', '...i,i', 'not_larger', '->', 'a,b,c'],
]

function attribute(random: Prng): AttributeInit {
  switch (random.int(5)) {
    case 0:
      return random.pick(words)
    case 1:
      return number(random)
    case 2:
      return { float: random.int(9) - 4 }
    default:
      return Array.from({ length: random.int(6) }, () => number(random))
  }
}

function constant(random: Prng): TensorInit {
  const dims = Array.from({ length: random.int(5) }, () => random.int(4))
  const elements = dims.reduce((product, dim) => product * dim, 1)
  const values = Array.from({ length: elements }, () => number(random))
  return { dims, data: random.int(2) ? Float32Array.from(values) : values }
}

/** One to three ops in a row, over an input and four constants, all at random. */
function randomModel(random: Prng): Uint8Array {
  const constants = Object.fromEntries(['a', 'b', 'c', 'd'].map(name => [name, constant(random)]))
  const names = ['x', '', ...Object.keys(constants)]
  const types = [...lowerings.keys()]
  const ops = Array.from({ length: 1 + random.int(3) }, (_, i) => ({
    type: random.pick(types),
    inputs: Array.from({ length: 1 + random.int(4) }, () => random.pick(i > 0 ? [...names, `y${i - 1}`] : names)),
    outputs: random.int(4) ? [`y${i}`] : [`y${i}`, `z${i}`],
    attributes: Object.fromEntries(
      Array.from({ length: random.int(5) }, () => [random.pick(attributeNames), attribute(random)]),
    ),
  }))
  const dims = Array.from({ length: random.int(6) }, () => 1 + random.int(4))
  const opset = 7 + random.int(15)
  return makeModel({ opset, inputs: { x: dims }, constants, outputs: [`y${ops.length - 1}`], ops })
}

test('6,000 graphs of random operators', { timeout: 60_000 }, () => {
  const seen = new Map<string, number>()
  for (let seed = 0; seed < 6000; seed++) {
    const bytes = randomModel(prng(seed))
    const code = outcome(seed, () => {
      const model = loadModel(bytes)
      const shapes = Object.fromEntries(model.inputs.map(({ name, dims }) => [name, (dims ?? []).map(Number)]))
      graphOf(model, { shapes, values: {} }, seed % 2 === 0 ? 'planes' : 'channels-last')
    })
    seen.set(code, (seen.get(code) ?? 0) + 1)
  }
  // Neither all refused nor all taken: the generator reaches behind the first check.
  expect(seen.get('fine')).toBeGreaterThan(300)
  expect(seen.get('MODEL_BAD_OP')).toBeGreaterThan(300)
})

describe.each(sharedModels('mnist', 'cifar10-resnet8'))('$name', ({ bytes }) => {
  test('1,000 mutations', { timeout: 60_000 }, () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 1000; seed++) {
      const random = prng(seed)
      let damaged = bytes.slice()
      // Structure lies between the weights: large files are hit mostly where it is.
      const span = seed % 4 ? Math.min(damaged.length, 6000) : damaged.length
      for (let hits = 1 + random.int(5); hits > 0; hits--) damaged[random.int(span)] = random.int(256)
      if (seed % 7 === 0) damaged = damaged.subarray(0, random.int(damaged.length))
      seen.add(outcome(seed, () => planAny(loadModel(damaged))))
    }
    expect(seen.size).toBeGreaterThan(4)
  })
})
