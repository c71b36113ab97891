/**
 * What ONNX's operator tests beside the package do not reach: operators and forms of opsets 18 to 21, old forms, ranks and
 * attributes that they leave out; each against onnxruntime-web, through a session.
 */
import * as ort from 'onnxruntime-web'
import { beforeAll, expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import type { Backend } from '../../../src/compute/backends/types.ts'
import { createWasmBackend } from '../../../src/compute/backends/wasm/backend.ts'
import { loadModel } from '../../../src/compute/engine/model.ts'
import { openSession } from '../../../src/compute/engine/session.ts'
import { elementsOf } from '../../../src/compute/tensor/shape.ts'
import { normals } from '../kernels/cases.ts'
import { relativeL2 } from '../shared-models.ts'
import { type AttributeInit, type ModelInit, makeModel, type TensorInit } from './make-model.ts'

ort.env.wasm.numThreads = 1

const random = prng(23)
const floats = (...dims: number[]): TensorInit => ({ dims, data: normals(random, elementsOf(dims)) })
const ints = (...data: number[]): TensorInit => ({ dims: [data.length], data })
const index = (dims: number[], ...data: number[]): TensorInit => ({ dims, data })
const scalar = (value: number): TensorInit => ({ dims: [], data: Float32Array.of(value) })
const list = (...data: number[]): TensorInit => ({ dims: [data.length], data: Float32Array.from(data) })

const [uint8, int8, int64, bool] = [2, 3, 7, 9]

/** One op `y` of the input `x` and of constants. @param type of y, where it is not float32 */
function one(
  type: string,
  opset: number,
  dims: number[],
  attributes: Record<string, AttributeInit> = {},
  constants: (TensorInit | null)[] = [],
  outputs: Record<string, number> = { y: 1 },
): ModelInit {
  const names = constants.map((constant, i) => (constant ? `c${i}` : ''))
  return {
    opset,
    inputs: { x: dims },
    types: outputs,
    outputs: Object.keys(outputs),
    constants: Object.fromEntries(constants.flatMap((constant, i) => (constant ? [[`c${i}`, constant]] : []))),
    ops: [{ type, inputs: ['x', ...names], outputs: Object.keys(outputs), attributes }],
  }
}

const resize = (dims: number[], attributes: Record<string, AttributeInit>, ...rest: (TensorInit | null)[]) =>
  one('Resize', 18, dims, attributes, [null, ...rest])

const image = [2, 3, 5, 6]
const none: TensorInit = { dims: [0], data: new Float32Array(0) }

const oldReduction = (name: string): [string, ModelInit] => [
  `Reduce${name} of old`,
  one(`Reduce${name}`, 11, [3, 1, 4], { axes: [0], keepdims: 1 }),
]

const reductions = ['L1', 'L2', 'LogSum', 'LogSumExp', 'Max', 'Mean', 'Min', 'Prod', 'Sum', 'SumSquare'].flatMap(
  (name): [string, ModelInit][] => [
    // Squares first, so that logarithms have a number to work on.
    ...[[[1, 3]], [[-1]], [[0, 1, 3]]].map(([axes]): [string, ModelInit] => [
      `Reduce${name} over ${axes}`,
      {
        ...one('Mul', 18, image, {}, [null]),
        constants: { axes: ints(...axes) },
        ops: [
          { type: 'Mul', inputs: ['x', 'x'], outputs: ['s'] },
          { type: `Reduce${name}`, inputs: ['s', 'axes'], outputs: ['y'], attributes: { keepdims: 0 } },
        ],
      },
    ]),
    ...(name === 'LogSum' ? [] : [oldReduction(name)]),
  ],
)

const cases: [string, ModelInit][] = [
  ['Mish', one('Mish', 18, [3, 7])],
  ['Gelu', one('Gelu', 20, [3, 7])],
  ['Gelu tanh', one('Gelu', 20, [3, 7], { approximate: 'tanh' })],
  ['GroupNormalization 21', one('GroupNormalization', 21, [2, 6, 3, 2], { num_groups: 3 }, [floats(6), floats(6)])],
  ['LayerNormalization', one('LayerNormalization', 17, [2, 3, 4], { axis: -2 }, [floats(3, 4), floats(3, 4)])],
  ['LayerNormalization repeats its scale', one('LayerNormalization', 17, [2, 3, 4], { axis: 1 }, [floats(4)])],
  ['InstanceNormalization 1D', one('InstanceNormalization', 6, [2, 3, 9], {}, [floats(3), floats(3)])],
  ['LRN', one('LRN', 13, [2, 7, 3, 3], { size: 5, alpha: { float: 0.3 }, bias: { float: 2 } })],
  ...reductions,
  ['ReduceSum of no axes', one('ReduceSum', 18, image, { noop_with_empty_axes: 1 }, [ints()])],
  ['ArgMax', one('ArgMax', 13, image, { axis: -2, keepdims: 0 }, [], { y: int64 })],
  ['TopK', one('TopK', 11, image, { axis: 1, largest: 0 }, [ints(2)], { y: 1, i: int64 })],
  ['CumSum', one('CumSum', 14, image, { reverse: 1, exclusive: 1 }, [index([], -2)])],
  ['Split by number', one('Split', 18, [2, 7], { axis: 1, num_outputs: 3 }, [], { a: 1, b: 1, c: 1 })],
  ['Split of old', one('Split', 11, [2, 6], { axis: -1, split: [1, 5] }, [], { a: 1, b: 1 })],
  ['Pad by axes', one('Pad', 18, image, {}, [ints(1, 2, 0, 3), scalar(0.5), ints(-1, 1)])],
  ['Pad reflect', one('Pad', 18, image, { mode: 'reflect' }, [ints(0, 1, 3, 2, 0, 1, 2, 4)])],
  ['Pad edge', one('Pad', 18, image, { mode: 'edge' }, [ints(0, 1, 3, 2, 0, 1, 2, 9)])],
  ['Pad wrap', one('Pad', 19, image, { mode: 'wrap' }, [ints(0, 1, 3, 2, 0, 1, 2, 4)])],
  ['Pad cuts and pads', one('Pad', 18, image, {}, [ints(0, 0, -1, 2, 0, 0, 1, -3)])],
  ['Trilu', one('Trilu', 14, [2, 4, 5], { upper: 0 }, [index([], 1)])],
  ['Einsum by matrices', one('Einsum', 12, [2, 3, 4], { equation: 'bij,kj->bki' }, [floats(5, 4)])],
  ['Einsum of a diagonal', one('Einsum', 12, [4, 3, 4], { equation: 'iji->j' })],
  ['Einsum with dots', one('Einsum', 12, [2, 3, 4, 5], { equation: '...ij,...jk->...ik' }, [floats(2, 3, 5, 2)])],
  ['Einsum outer product', one('Einsum', 12, [3], { equation: 'i,j' }, [floats(4)])],
  ['Einsum of three', one('Einsum', 12, [2, 3], { equation: 'ij,jk,kl->il' }, [floats(3, 4), floats(4, 5)])],
  ['Einsum transposes', one('Einsum', 12, [2, 3], { equation: 'ba' })],
  [
    'ConvTranspose groups',
    one('ConvTranspose', 11, [1, 4, 5, 4], { group: 2, strides: [2, 3], output_padding: [1, 1], pads: [1, 0, 0, 1] }, [
      floats(4, 3, 3, 2),
      floats(6),
    ]),
  ],
  ['ConvTranspose 1D', one('ConvTranspose', 11, [2, 3, 5], { strides: [2], dilations: [2] }, [floats(3, 2, 3)])],
  ['ConvTranspose 3D', one('ConvTranspose', 11, [1, 2, 3, 2, 3], { strides: [2, 1, 2] }, [floats(2, 3, 2, 2, 3)])],
  [
    'ConvTranspose SAME_LOWER',
    one('ConvTranspose', 11, [1, 2, 4, 4], { auto_pad: 'SAME_LOWER', strides: [2, 2] }, [floats(2, 2, 3, 3)]),
  ],
  [
    'Conv 1D',
    one('Conv', 11, [2, 4, 11], { strides: [2], pads: [2, 1], dilations: [2], group: 2 }, [floats(6, 2, 3), floats(6)]),
  ],
  [
    'Conv 3D',
    one('Conv', 11, [2, 4, 5, 6, 7], { strides: [2, 1, 2], pads: [1, 0, 1, 2, 1, 0], group: 2 }, [
      floats(6, 2, 3, 2, 3),
      floats(6),
    ]),
  ],
  ['Conv 3D dilated', one('Conv', 11, [1, 2, 7, 5, 5], { dilations: [3, 2, 1] }, [floats(3, 2, 2, 2, 2)])],
  [
    'MaxPool with places',
    one('MaxPool', 12, image, { kernel_shape: [2, 3], strides: [2, 1], pads: [1, 1, 0, 1] }, [], { y: 1, i: int64 }),
  ],
  [
    'MaxPool 3D',
    one('MaxPool', 12, [1, 2, 5, 4, 6], { kernel_shape: [2, 2, 3], strides: [2, 1, 2], pads: [0, 1, 1, 1, 0, 1] }),
  ],
  [
    'AveragePool 1D',
    one('AveragePool', 19, [2, 3, 9], { kernel_shape: [3], strides: [2], pads: [1, 1], count_include_pad: 1 }),
  ],
  ['AveragePool 3D', one('AveragePool', 11, [1, 2, 5, 4, 6], { kernel_shape: [2, 2, 3], pads: [1, 1, 1, 0, 0, 1] })],
  ['AveragePool dilated', one('AveragePool', 19, image, { kernel_shape: [2, 2], dilations: [2, 3] })],
  ['GlobalMaxPool 1D', one('GlobalMaxPool', 1, [2, 3, 7])],
  [
    'MatMul both running',
    { ...one('MatMul', 13, [2, 3, 4, 4]), ops: [{ type: 'MatMul', inputs: ['x', 'x'], outputs: ['y'] }] },
  ],
  ['MatMul broadcasts', one('MatMul', 13, [2, 1, 3, 4], {}, [floats(5, 4, 2)])],
  ['MatMul of a vector', one('MatMul', 13, [4], {}, [floats(3, 4, 2)])],
  ['Gather two axes', one('Gather', 13, image, { axis: 2 }, [index([2, 2], 0, -1, 4, 1)])],
  ['GatherND by batch', one('GatherND', 13, [2, 3, 4], { batch_dims: 1 }, [index([2, 2, 1], 0, -1, 2, 1)])],
  [
    'ScatterElements add',
    one('ScatterElements', 18, [3, 4], { axis: 1, reduction: 'add' }, [index([3, 2], 0, 0, 1, -1, 2, 2), floats(3, 2)]),
  ],
  [
    'ScatterElements max',
    one('ScatterElements', 18, [3, 4], { reduction: 'max' }, [index([2, 2], 0, 0, 1, -1), floats(2, 2)]),
  ],
  ['ScatterND min', one('ScatterND', 18, [3, 4], { reduction: 'min' }, [index([2, 1], 0, -1), floats(2, 4)])],
  ['Tile', one('Tile', 13, [2, 1, 3], {}, [ints(2, 3, 1)])],
  ['Expand', one('Expand', 13, [2, 1, 3], {}, [ints(4, 1, 5, 1)])],
  ['Transpose of seven axes', one('Transpose', 13, [2, 1, 2, 3, 2, 2, 3], { perm: [6, 1, 4, 3, 0, 5, 2] })],
  ['Transpose of eight axes', one('Transpose', 13, [2, 2, 2, 2, 2, 2, 2, 3], { perm: [7, 5, 3, 1, 6, 4, 2, 0] })],
  ['Add over seven axes', one('Add', 13, [2, 1, 2, 1, 2, 1, 2], {}, [floats(2, 1, 2, 1, 2, 1)])],
  ['DepthToSpace', one('DepthToSpace', 13, [1, 8, 2, 3], { blocksize: 2, mode: 'CRD' })],
  ['SpaceToDepth', one('SpaceToDepth', 13, [1, 2, 4, 6], { blocksize: 2 })],
  ['PRelu by channel', one('PRelu', 16, image, {}, [floats(3, 1, 1)])],
  ['Pow', one('Pow', 15, [6], {}, [index([], 3)])],
  ['Mod', one('Mod', 13, [6], { fmod: 1 }, [scalar(0.3)])],
  ['Sum of three', one('Sum', 13, [2, 3], {}, [floats(3), floats(2, 1)])],
  ['Mean', one('Mean', 13, [2, 3], {}, [floats(3), scalar(1)])],
  ['Greater', one('Greater', 13, [2, 3], {}, [floats(3)], { y: bool })],
  [
    'QuantizeLinear by axis',
    one(
      'QuantizeLinear',
      13,
      [2, 3, 4],
      { axis: 1 },
      [list(0.1, 0.03, 0.5), { dims: [3], data: Int8Array.of(0, -5, 7) }],
      { y: int8 },
    ),
  ],
  [
    'QuantizeLinear saturates',
    one('QuantizeLinear', 13, [40], {}, [scalar(0.005), { dims: [], data: Uint8Array.of(128) }], { y: uint8 }),
  ],
  ['Upsample', one('Upsample', 7, [1, 2, 3, 4], { scales: { floats: [1, 1, 2, 2] }, mode: 'nearest' })],
  ['Upsample linear', one('Upsample', 9, [1, 2, 3, 4], { mode: 'linear' }, [list(1, 1, 2, 2)])],
  ['Resize 10', one('Resize', 10, [1, 2, 3, 4], { mode: 'nearest' }, [list(1, 1, 2, 0.5)])],
  ['Resize linear up', resize(image, { mode: 'linear' }, list(1, 1, 1.7, 2.3))],
  ['Resize linear down, antialiased', resize([1, 1, 9, 10], { mode: 'linear', antialias: 1 }, list(1, 1, 0.4, 0.55))],
  ['Resize cubic down, antialiased', resize([1, 1, 9, 10], { mode: 'cubic', antialias: 1 }, null, ints(1, 1, 4, 5))],
  [
    'Resize cubic',
    resize([1, 1, 5, 6], { mode: 'cubic', cubic_coeff_a: { float: -0.5 }, exclude_outside: 1 }, null, ints(1, 1, 8, 9)),
  ],
  ['Resize by axes', resize([2, 5, 6], { mode: 'linear', axes: [2, 1] }, null, ints(9, 7))],
  [
    'Resize not larger',
    resize([1, 1, 4, 6], { mode: 'nearest', axes: [2, 3], keep_aspect_ratio_policy: 'not_larger' }, null, ints(7, 8)),
  ],
  [
    'Resize not smaller',
    resize([1, 1, 4, 6], { mode: 'nearest', axes: [2, 3], keep_aspect_ratio_policy: 'not_smaller' }, null, ints(7, 8)),
  ],
  ...['half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric'].flatMap((mode): [string, ModelInit][] => [
    [
      `Resize linear by ${mode}`,
      resize([1, 1, 4, 5], { mode: 'linear', coordinate_transformation_mode: mode }, null, ints(1, 1, 7, 1)),
    ],
    [
      `Resize nearest by ${mode}`,
      resize(
        [1, 1, 4, 5],
        { mode: 'nearest', coordinate_transformation_mode: mode, nearest_mode: 'floor' },
        null,
        ints(1, 1, 3, 8),
      ),
    ],
  ]),
  [
    'Resize crops',
    {
      ...resize([1, 1, 4, 5], {
        mode: 'linear',
        coordinate_transformation_mode: 'tf_crop_and_resize',
        extrapolation_value: { float: 9 },
      }),
      constants: { roi: list(0, 0, 0.4, -0.2, 1, 1, 0.6, 1.3), none, sizes: ints(1, 1, 3, 6) },
      ops: [
        {
          type: 'Resize',
          inputs: ['x', 'roi', 'none', 'sizes'],
          outputs: ['y'],
          attributes: {
            mode: 'linear',
            coordinate_transformation_mode: 'tf_crop_and_resize',
            extrapolation_value: { float: 9 },
          },
        },
      ],
    },
  ],
  [
    'BatchNormalization of a running scale',
    {
      ...one('BatchNormalization', 15, [3, 3]),
      constants: { v: list(1, 2, 3) },
      ops: [
        { type: 'ReduceMax', inputs: ['x'], outputs: ['m'], attributes: { axes: [0], keepdims: 0 } },
        { type: 'BatchNormalization', inputs: ['x', 'm', 'v', 'm', 'v'], outputs: ['y'] },
      ],
    },
  ],
  [
    'OneHot',
    {
      ...one('Relu', 13, [2, 2]),
      constants: { i: index([2, 2], 0, -1, 2, 5), d: index([], 4), v: list(-1, 3) },
      ops: [
        { type: 'OneHot', inputs: ['i', 'd', 'v'], outputs: ['h'], attributes: { axis: 1 } },
        { type: 'ReduceSum', inputs: ['x'], outputs: ['s'], attributes: { keepdims: 0 } },
        { type: 'Add', inputs: ['h', 's'], outputs: ['y'] },
      ],
    },
  ],
  [
    'Clip by running bounds',
    {
      ...one('Clip', 13, [2, 5]),
      ops: [
        { type: 'ReduceMean', inputs: ['x'], outputs: ['m'], attributes: { keepdims: 0 } },
        { type: 'Clip', inputs: ['x', 'm'], outputs: ['y'] },
      ],
    },
  ],
]

let backend: Backend
beforeAll(async () => {
  backend = await createWasmBackend()
})

test.each(cases)('%s', async (_, init) => {
  const bytes = makeModel(init)
  const [[, dims]] = Object.entries(init.inputs)
  const shape = dims.map(Number)
  const data = normals(random, elementsOf(shape))
  const session = openSession(backend, loadModel(bytes))
  const got = await session.run({ x: { type: 'float32', dims: shape, data } })
  session.dispose()
  const judge = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 })
  const want = await judge.run({ x: new ort.Tensor('float32', data, shape) })
  await judge.release()
  for (const name of init.outputs) {
    expect([got[name].type, got[name].dims]).toEqual([want[name].type, want[name].dims])
    const values = want[name].data
    if (values instanceof Float32Array) {
      expect(relativeL2(Array.from(got[name].data, Number), values)).toBeLessThan(2e-5)
    } else expect(Array.from(got[name].data, Number)).toEqual(Array.from(values, Number))
  }
})
