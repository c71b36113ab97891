/** Every operator in the forms that its versions have, alone and fused, against onnxruntime-web. */
import { expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import { createWasmBackend } from '../../../src/compute/backends/wasm/backend.ts'
import { loadModel, planModel } from '../../../src/compute/engine/model.ts'
import { normals } from '../kernels/cases.ts'
import { runOnnxruntime } from '../onnxruntime.ts'
import { relativeL2 } from '../shared-models.ts'
import { type AttributeInit, type ModelInit, makeModel, type TensorInit } from './make-model.ts'

const random = prng(11)
const floats = (...dims: number[]): TensorInit => ({
  dims,
  data: normals(
    random,
    dims.reduce((a, b) => a * b, 1),
  ),
})
const ints = (...data: number[]): TensorInit => ({ dims: [data.length], data })
const scalar = (value: number): TensorInit => ({ dims: [], data: Float32Array.of(value) })

/** One op `y` of the input `x` and of constants, which are named by their place. */
function one(
  type: string,
  opset: number,
  dims: number[],
  attributes: Record<string, AttributeInit> = {},
  constants: (TensorInit | null)[] = [],
): ModelInit {
  const names = constants.map((constant, i) => (constant ? `c${i}` : ''))
  return {
    opset,
    inputs: { x: dims },
    outputs: ['y'],
    constants: Object.fromEntries(constants.flatMap((constant, i) => (constant ? [[`c${i}`, constant]] : []))),
    ops: [{ type, inputs: ['x', ...names], outputs: ['y'], attributes }],
  }
}

const image = [2, 3, 9, 8]
const pool = { kernel_shape: [3, 2], strides: [2, 2] }
const positive = Float32Array.from({ length: 6 }, (_, i) => 0.5 + i / 3)

const cases: [string, ModelInit][] = [
  ['Conv SAME_UPPER', one('Conv', 13, image, { auto_pad: 'SAME_UPPER', strides: [2, 2] }, [floats(4, 3, 3, 3)])],
  [
    'Conv SAME_LOWER',
    one('Conv', 11, image, { auto_pad: 'SAME_LOWER', strides: [2, 1] }, [floats(4, 3, 2, 2), floats(4)]),
  ],
  ['Conv VALID', one('Conv', 1, image, { auto_pad: 'VALID', dilations: [2, 3] }, [floats(4, 3, 3, 2)])],
  ['Conv groups', one('Conv', 11, [1, 4, 5, 5], { pads: [1, 0, 2, 1], group: 2 }, [floats(6, 2, 3, 3), floats(6)])],
  [
    'Conv depthwise',
    one('Conv', 11, [1, 4, 6, 7], { pads: [1, 1, 1, 1], group: 4, strides: [2, 2] }, [floats(4, 1, 3, 3)]),
  ],
  ['MaxPool', one('MaxPool', 12, image, { ...pool, pads: [1, 0, 1, 1] })],
  ['MaxPool ceil', one('MaxPool', 12, image, { ...pool, ceil_mode: 1 })],
  [
    'MaxPool ceil beyond',
    one('MaxPool', 12, [1, 1, 5, 5], { kernel_shape: [2, 2], strides: [3, 3], pads: [0, 0, 1, 1], ceil_mode: 1 }),
  ],
  ['MaxPool dilated', one('MaxPool', 12, image, { kernel_shape: [2, 2], dilations: [3, 2] })],
  ['AveragePool', one('AveragePool', 11, image, { ...pool, pads: [1, 1, 1, 0] })],
  ['AveragePool with padding', one('AveragePool', 11, image, { ...pool, pads: [1, 1, 1, 0], count_include_pad: 1 })],
  ['AveragePool SAME_UPPER', one('AveragePool', 11, image, { ...pool, auto_pad: 'SAME_UPPER' })],
  [
    'AveragePool ceil',
    one('AveragePool', 19, image, { ...pool, ceil_mode: 1, pads: [1, 1, 1, 1], count_include_pad: 1 }),
  ],
  ['GlobalAveragePool', one('GlobalAveragePool', 1, image)],
  ['GlobalMaxPool', one('GlobalMaxPool', 1, image)],
  [
    'BatchNormalization',
    one('BatchNormalization', 15, [2, 6, 3, 3], {}, [floats(6), floats(6), floats(6), { dims: [6], data: positive }]),
  ],
  ['Gemm', one('Gemm', 13, [3, 4], { alpha: { float: 0.5 }, beta: { float: 2 } }, [floats(4, 5), floats(5)])],
  ['Gemm transposed', one('Gemm', 13, [4, 3], { transA: 1, transB: 1 }, [floats(5, 4), floats(3, 1)])],
  ['Gemm without bias', one('Gemm', 11, [3, 4], { transB: 1 }, [floats(5, 4)])],
  ['Gemm with a matrix', one('Gemm', 13, [3, 4], {}, [floats(4, 5), floats(3, 5)])],
  ['MatMul', one('MatMul', 13, [2, 3, 4], {}, [floats(4, 5)])],
  ['MatMul by matrices', one('MatMul', 13, [2, 3, 4], {}, [floats(2, 4, 5)])],
  ['MatMul by a vector', one('MatMul', 13, [3, 4], {}, [floats(4)])],
  ['Softmax in lines', one('Softmax', 11, [2, 3, 4])],
  ['Softmax along an axis', one('Softmax', 13, [2, 3, 4], { axis: 1 })],
  ['LogSoftmax', one('LogSoftmax', 13, [2, 3, 4])],
  ['Add by channel', one('Add', 13, image, {}, [floats(3, 1, 1)])],
  ['Sub a scalar', one('Sub', 13, image, {}, [scalar(0.3)])],
  ['Mul whole', one('Mul', 13, [4, 5], {}, [floats(4, 5)])],
  ['Div by rows and columns', one('Div', 13, [4, 1, 5], {}, [floats(3, 1)])],
  ['Max', one('Max', 13, [4, 5], {}, [floats(5), scalar(0)])],
  ['Min of one', one('Min', 13, [4, 5])],
  ['Clip by attributes', one('Clip', 6, [9], { min: { float: -0.5 }, max: { float: 0.5 } })],
  ['Clip by inputs', one('Clip', 13, [9], {}, [null, scalar(0.1)])],
  ['LeakyRelu', one('LeakyRelu', 6, [9], { alpha: { float: 0.2 } })],
  ['HardSigmoid', one('HardSigmoid', 6, [9])],
  ['HardSwish', one('HardSwish', 14, [9])],
  ...['Abs', 'Neg', 'Exp', 'Sigmoid', 'Tanh', 'Erf', 'Floor', 'Ceil', 'Relu', 'Reciprocal'].map(
    (type): [string, ModelInit] => [type, one(type, 13, [2, 7])],
  ),
  ['Transpose', one('Transpose', 13, [2, 3, 4], { perm: [2, 0, 1] })],
  ['Transpose reversed', one('Transpose', 13, [2, 3, 4])],
  ['Transpose of ones', one('Transpose', 13, [2, 1, 4], { perm: [1, 0, 2] })],
  ['Slice', one('Slice', 13, [5, 6], {}, [ints(-1, 1), ints(-6, 9), ints(0, 1), ints(-2, 2)])],
  ['Slice by attributes', one('Slice', 9, [5, 6], { starts: [1], ends: [4], axes: [-1] })],
  ['Concat', one('Concat', 13, [2, 3], { axis: -1 }, [floats(2, 2), floats(2, 1)])],
  ['Flatten', one('Flatten', 13, [2, 3, 4], { axis: 2 })],
  ['Reshape', one('Reshape', 13, [2, 3, 4], {}, [ints(0, -1)])],
  ['Squeeze', one('Squeeze', 13, [2, 1, 4], {}, [ints(1)])],
  ['Unsqueeze', one('Unsqueeze', 11, [2, 4], { axes: [0, -1] })],
  ['Dropout', one('Dropout', 13, [2, 4])],
]

const convolution = { type: 'Conv', inputs: ['x', 'w'], outputs: ['a'], attributes: { pads: [1, 1, 1, 1] } }
const chains: [string, ModelInit][] = [
  [
    'Conv, BatchNormalization, Add, Clip',
    {
      opset: 13,
      inputs: { x: [2, 6, 5, 5] },
      outputs: ['y'],
      constants: {
        w: floats(6, 6, 3, 3),
        ...{ scale: floats(6), shift: floats(6), mean: floats(6), variance: { dims: [6], data: positive } },
        ...{ low: scalar(-1), high: scalar(1) },
      },
      ops: [
        convolution,
        { type: 'BatchNormalization', inputs: ['a', 'scale', 'shift', 'mean', 'variance'], outputs: ['b'] },
        { type: 'Add', inputs: ['b', 'x'], outputs: ['c'] },
        { type: 'Clip', inputs: ['c', 'low', 'high'], outputs: ['y'] },
      ],
    },
  ],
  [
    'a Conv that two ops read is not fused away',
    {
      opset: 13,
      inputs: { x: [1, 3, 5, 5] },
      outputs: ['y', 'r'],
      constants: { w: floats(3, 3, 3, 3), k: floats(3, 1, 1) },
      ops: [
        convolution,
        { type: 'Relu', inputs: ['a'], outputs: ['r'] },
        { type: 'Mul', inputs: ['a', 'k'], outputs: ['m'] },
        { type: 'Add', inputs: ['m', 'r'], outputs: ['y'] },
      ],
    },
  ],
  [
    'a Conv added to itself, and an input that is an output',
    {
      opset: 13,
      inputs: { x: [1, 3, 4, 4] },
      outputs: ['y', 'z'],
      constants: { w: floats(3, 3, 3, 3) },
      ops: [
        convolution,
        { type: 'Add', inputs: ['a', 'a'], outputs: ['y'] },
        { type: 'Identity', inputs: ['x'], outputs: ['z'] },
      ],
    },
  ],
  [
    'a shape that is computed',
    {
      opset: 13,
      inputs: { x: [2, 3, 4] },
      outputs: ['y'],
      constants: { first: ints(0), rest: ints(-1), axes: ints(0), zero: { dims: [], data: [0] } },
      ops: [
        { type: 'Shape', inputs: ['x'], outputs: ['s'] },
        { type: 'Gather', inputs: ['s', 'zero'], outputs: ['n'] },
        { type: 'Unsqueeze', inputs: ['n', 'axes'], outputs: ['u'] },
        { type: 'Concat', inputs: ['u', 'rest'], outputs: ['t'], attributes: { axis: 0 } },
        { type: 'Reshape', inputs: ['x', 't'], outputs: ['y'] },
      ],
    },
  ],
  [
    'MatMul with scale and bias, Mul chains and a constant branch',
    {
      opset: 13,
      inputs: { x: [3, 4] },
      outputs: ['y'],
      constants: { w: floats(4, 5), s: floats(5), b: floats(1, 5), p: floats(5), q: floats(5) },
      ops: [
        { type: 'MatMul', inputs: ['x', 'w'], outputs: ['a'] },
        { type: 'Mul', inputs: ['a', 's'], outputs: ['m'] },
        { type: 'Exp', inputs: ['p'], outputs: ['e'] },
        { type: 'Add', inputs: ['m', 'b'], outputs: ['c'] },
        { type: 'Sub', inputs: ['q', 'c'], outputs: ['d'] },
        { type: 'Mul', inputs: ['d', 'e'], outputs: ['f'] },
        { type: 'Relu', inputs: ['f'], outputs: ['y'] },
      ],
    },
  ],
]

test.each([...cases, ...chains])('%s', async (_, init) => {
  const bytes = makeModel(init)
  const [[, dims]] = Object.entries(init.inputs)
  const backend = await createWasmBackend()
  const { program, weights } = planModel(loadModel(bytes), { batch: Number(dims[0]), layout: backend.layout })
  const inputs = {
    x: normals(
      random,
      dims.reduce<number>((all, dim) => all * Number(dim), 1),
    ),
  }
  const got = await (await backend.compile(program, weights)).run(inputs)
  const want = await runOnnxruntime(bytes, program, inputs)
  for (const { name, dims: shape } of program.outputs) {
    expect(shape).toEqual(want[name].dims)
    expect(relativeL2(got[name], want[name].data)).toBeLessThan(1e-5)
  }
})

test('all operators that are not there are named in one error', () => {
  const bytes = makeModel({
    ...one('Relu', 13, [2]),
    outputs: ['z'],
    ops: [
      { type: 'Frobnicate', name: 'first', inputs: ['x'], outputs: ['a'], domain: 'com.example' },
      { type: 'GridSample', name: 'second', inputs: ['a'], outputs: ['z'] },
    ],
  })
  expect(() => loadModel(bytes)).toThrow(
    /Frobnicate "first" \(domain com\.example.*GridSample "second" \(domain ai\.onnx, opset 13\)/,
  )
})

test('a model that needs its own result, or what nothing makes, is refused', () => {
  const cycle = { type: 'Add', inputs: ['x', 'y'], outputs: ['y'] }
  expect(() => loadModel(makeModel({ ...one('Relu', 13, [2]), ops: [cycle] }))).toThrow(/its own result/)
  const orphan = { type: 'Add', inputs: ['x', 'q'], outputs: ['y'] }
  expect(() => loadModel(makeModel({ ...one('Relu', 13, [2]), ops: [orphan] }))).toThrow(/"q", which nothing makes/)
})
