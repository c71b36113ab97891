/**
 * Networks laid channels last compute what they compute by planes: every kind of step behind a convolution, alone and in chains, on the
 * scalar reference. And they turn their images round no more often than they must.
 */
import { describe, expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import { createReferenceBackend } from '../../../src/compute/backends/reference/index.ts'
import { relayWalk } from '../../../src/compute/engine/image-walks.ts'
import { loadModel, planModel } from '../../../src/compute/engine/model.ts'
import type { ImageLayout } from '../../../src/compute/engine/program.ts'
import { normals } from '../kernels/case.ts'
import { makeModel, type OpInit, type TensorInit } from '../onnx/make-model.ts'
import { relativeL2 } from '../shared-models.ts'

const [batch, channels, height, width] = [2, 6, 4, 5]
const random = prng(29)
const floats = (...dims: number[]): TensorInit => ({
  dims,
  data: normals(
    random,
    dims.reduce((a, b) => a * b, 1),
  ),
})
const ints = (...data: number[]): TensorInit => ({ dims: [data.length], data })

/** What follows the convolution `c` [2, 6, 4, 5]; the last op makes `y`. `turns`: copies that turn images round, input included. */
interface Chain {
  ops: OpInit[]
  constants?: Record<string, TensorInit>
  turns: number
  opset?: number
}

const op = (type: string, inputs: string[], output: string, attributes?: OpInit['attributes']): OpInit => ({
  ...{ type, inputs, outputs: [output] },
  ...(attributes && { attributes }),
})

const conv = (input: string, output: string, weights = 'w2') => op('Conv', [input, weights], output)

const chains: Record<string, Chain> = {
  'a second convolution': { ops: [conv('c', 'y')], turns: 2 },
  'functions of one element': { ops: [op('Sigmoid', ['c'], 's'), op('Tanh', ['s'], 'y')], turns: 2 },
  'a sum with a vector by channel, run-time and spread': {
    ops: [op('GlobalAveragePool', ['c'], 'g'), op('Mul', ['c', 'g'], 'm'), conv('m', 'y')],
    turns: 2,
  },
  'a sum with a constant image': {
    ops: [op('Sigmoid', ['c'], 's'), op('Add', ['s', 'image'], 'y')],
    constants: { image: floats(1, channels, height, width) },
    turns: 2,
  },
  'a sum with a plane, and with a column': {
    ops: [op('Max', ['c', 'plane'], 'm'), op('Sub', ['column', 'm'], 'y')],
    constants: { plane: floats(height, width), column: floats(height, 1) },
    turns: 2,
  },
  'a residual that comes by planes': { ops: [op('Add', ['c', 'x'], 'y')], turns: 2 },
  'pooling, both kinds': {
    ops: [
      op('MaxPool', ['c'], 'm', { kernel_shape: [2, 2], pads: [1, 0, 0, 1] }),
      op('AveragePool', ['m'], 'y', { kernel_shape: [2, 3], strides: [2, 1] }),
    ],
    turns: 2,
  },
  'softmax over channels': { ops: [op('Softmax', ['c'], 'y', { axis: 1 })], turns: 2 },
  'softmax over columns': { ops: [op('Softmax', ['c'], 'y', { axis: 3 })], turns: 2 },
  'means over pixels, over channels, over all': {
    ops: [
      op('ReduceMean', ['c'], 'p', { axes: [2, 3], keepdims: 1 }),
      op('ReduceMax', ['c'], 'q', { axes: [1], keepdims: 1 }),
      op('ReduceSum', ['c', 'axes'], 's'),
      op('Add', ['p', 'q'], 'pq'),
      op('Add', ['pq', 's'], 'y'),
    ],
    constants: { axes: ints(1, 2, 3) },
    turns: 1,
  },
  'the channel of the largest value': {
    ops: [op('ArgMax', ['c'], 'a', { axis: 1 }), op('Cast', ['a'], 'y', { to: 1 })],
    turns: 1,
  },
  'concatenation and split by channel': {
    ops: [
      conv('c', 'd'),
      op('Concat', ['c', 'd', 'x'], 'e', { axis: 1 }),
      { type: 'Split', inputs: ['e', 'parts'], outputs: ['a', 'b'], attributes: { axis: 1 } },
      op('Concat', ['b', 'a'], 'f', { axis: 1 }),
      conv('f', 'y', 'w16'),
    ],
    constants: { parts: ints(7, 9) },
    turns: 2,
  },
  'channels shuffled': {
    ops: [
      op('Reshape', ['c', 'five'], 'r'),
      op('Transpose', ['r'], 't', { perm: [0, 2, 1, 3, 4] }),
      op('Reshape', ['t', 'four'], 'u'),
      conv('u', 'y'),
    ],
    constants: { five: ints(batch, 2, 3, height, width), four: ints(batch, channels, height, width) },
    turns: 2,
  },
  'concatenation by rows': { ops: [op('Concat', ['c', 'c'], 'y', { axis: 2 })], turns: 2 },
  'a border of zeros, then a convolution': {
    ops: [op('Pad', ['c', 'pads'], 'p'), conv('p', 'y')],
    constants: { pads: ints(0, 0, 1, 0, 0, 0, 0, 2) },
    turns: 3,
  },
  'channels to the end, as detectors do': {
    ops: [op('Transpose', ['c'], 't', { perm: [0, 2, 3, 1] }), op('Reshape', ['t', 'flat'], 'y')],
    constants: { flat: ints(batch, -1, 3) },
    turns: 1,
  },
  'flattened into a product': {
    ops: [op('Flatten', ['c'], 'f'), op('MatMul', ['f', 'm'], 'y')],
    constants: { m: floats(channels * height * width, 3) },
    turns: 2,
  },
  'twice the size': {
    ops: [op('Resize', ['c', '', 'scales'], 'r', { mode: 'linear' }), conv('r', 'y')],
    constants: { scales: { dims: [4], data: Float32Array.of(1, 1, 2, 2) } },
    turns: 2,
  },
  'a product by channel after a branch': {
    ops: [
      op('Sigmoid', ['c'], 's'),
      op('BatchNormalization', ['s', 'v', 'v', 'v', 'v'], 'b'),
      op('Add', ['b', 's'], 'y'),
    ],
    constants: { v: { dims: [channels], data: Float32Array.of(1, 2, 0.5, 3, 0.25, 4) } },
    turns: 2,
  },
  'neighbours in channels': { ops: [op('LRN', ['c'], 'y', { size: 3 })], turns: 2 },
}

function model({ ops, constants, opset = 17 }: Chain): Uint8Array {
  const padded = { pads: [1, 1, 1, 1] }
  return makeModel({
    opset,
    inputs: { x: [batch, channels, height, width] },
    outputs: ['y'],
    constants: {
      w1: floats(channels, channels, 3, 3),
      w2: floats(4, channels, 1, 1),
      w16: floats(4, 16, 1, 1),
      ...constants,
    },
    ops: [{ type: 'Conv', inputs: ['x', 'w1'], outputs: ['c'], attributes: padded }, ...ops],
  })
}

async function run(bytes: Uint8Array, layout: ImageLayout, x: Float32Array) {
  const { program, weights } = planModel(loadModel(bytes), { batch, layout })
  const turns = program.steps.filter(({ name }) => name === 'to planes' || name === 'to channels last').length
  const { y } = await (await createReferenceBackend().compile(program, weights)).run({ x })
  return { y, turns, steps: program.steps }
}

describe('behind a convolution', () => {
  test.each(Object.entries(chains))('%s', async (_, chain) => {
    const bytes = model(chain)
    const x = normals(random, batch * channels * height * width)
    const [planes, last] = [await run(bytes, 'planes', x), await run(bytes, 'channels-last', x)]
    expect(last.y.length).toBe(planes.y.length)
    expect(relativeL2(last.y, planes.y)).toBeLessThan(1e-6)
    expect(last.steps.map(step => step.kernel)).not.toContain('conv2d')
    expect(last.turns).toBe(chain.turns)
  })
})

test('a walk over planes becomes one over neighbours, element by element, or is refused', () => {
  const images = { batch: 2, channels: 3, area: 4 }
  const at = (element: number) => {
    const [n, c, pixel] = [Math.floor(element / 12), Math.floor(element / 4) % 3, element % 4]
    return n * 12 + pixel * 3 + c
  }
  let taken = 0
  for (let turn = 0; turn < 4000; turn++) {
    const dims = Array.from({ length: 1 + random.int(3) }, () => 1 + random.int(6))
    const strides = dims.map(() => random.pick([0, 1, 1, 2, 4, 4, 8, 12, 3, 6, -1]))
    const offset = random.int(24)
    const visit = (sizes: readonly number[], steps: readonly number[], from: number): number[] =>
      sizes.length === 0
        ? [from]
        : Array.from({ length: sizes[0] }, (_, i) => visit(sizes.slice(1), steps.slice(1), from + i * steps[0])).flat()
    const elements = visit(dims, strides, offset)
    if (elements.some(element => element < 0 || element >= 24)) continue
    const relaid = relayWalk(dims, [{ strides, offset, images }])
    if (!relaid) continue
    taken++
    const [walk] = relaid.operands
    expect(visit(relaid.dims, walk.strides, walk.offset)).toEqual(elements.map(at))
  }
  expect(taken).toBeGreaterThan(200)
})
