/** Sessions: types and shapes at the boundary, inputs that decide shapes, programs kept, and errors that say what to do. */
import { beforeAll, describe, expect, test } from 'vitest'
import { PeerError } from '../../../src/base/errors.ts'
import type { Backend } from '../../../src/compute/backends/types.ts'
import { createWasmBackend } from '../../../src/compute/backends/wasm/backend.ts'
import { loadModel, planModel } from '../../../src/compute/engine/model.ts'
import { openSession } from '../../../src/compute/engine/session.ts'
import { float16Bits, float16Value, type TypedTensor } from '../../../src/compute/tensor/element-type.ts'
import { type ModelInit, makeModel } from '../onnx/make-model.ts'

const [int64, bool] = [7, 9]
const floats = (dims: number[], ...data: number[]): TypedTensor => ({
  type: 'float32',
  dims,
  data: Float32Array.from(data),
})
const ints = (...data: number[]): TypedTensor => ({
  type: 'int64',
  dims: [data.length],
  data: BigInt64Array.from(data, BigInt),
})

let backend: Backend
beforeAll(async () => {
  backend = await createWasmBackend()
})

const open = (init: ModelInit) => openSession(backend, loadModel(makeModel(init)))

const reshape: ModelInit = {
  opset: 13,
  inputs: { x: ['n', 'm'], shape: ['k'] },
  types: { shape: int64 },
  outputs: ['y'],
  ops: [
    { type: 'Neg', inputs: ['x'], outputs: ['a'] },
    { type: 'Reshape', inputs: ['a', 'shape'], outputs: ['y'] },
  ],
}

describe('an input that decides a shape', () => {
  test('is bound, and bound again when it changes', async () => {
    const session = open(reshape)
    const x = floats([2, 3], 1, 2, 3, 4, 5, 6)
    expect((await session.run({ x, shape: ints(3, -1) })).y).toEqual(floats([3, 2], -1, -2, -3, -4, -5, -6))
    expect((await session.run({ x, shape: ints(6) })).y.dims).toEqual([6])
    expect((await session.run({ x, shape: ints(3, -1) })).y.dims).toEqual([3, 2])
  })

  test('is kept with its program: the second run plans nothing', async () => {
    const session = open(reshape)
    const inputs = { x: floats([1, 2], 1, 2), shape: ints(2) }
    expect((await session.profile(inputs)).times.planMs).toBeGreaterThan(0)
    expect((await session.profile(inputs)).times.planMs).toBe(0)
  })

  test('is named where a network is planned without it', () => {
    const model = loadModel(makeModel(reshape))
    expect(() => planModel(model, { batch: 1, dims: { m: 2, k: 1 } })).toThrow(/Reshape "y".*shape.*"shape"/)
  })

  test('may be computed from an input, and from shapes', async () => {
    const session = open({
      opset: 13,
      inputs: { x: ['n', 3], extra: [1] },
      types: { extra: int64 },
      outputs: ['y'],
      constants: { zero: { dims: [1], data: [0] } },
      ops: [
        { type: 'Shape', inputs: ['x'], outputs: ['s'] },
        { type: 'Gather', inputs: ['s', 'zero'], outputs: ['n'] },
        { type: 'Add', inputs: ['n', 'extra'], outputs: ['k'] },
        { type: 'Concat', inputs: ['k', 's'], outputs: ['t'], attributes: { axis: 0 } },
        { type: 'Expand', inputs: ['x', 't'], outputs: ['y'] },
      ],
    })
    const { y } = await session.run({ x: floats([1, 3], 1, 2, 3), extra: ints(1) })
    expect(y).toEqual(floats([2, 1, 3], 1, 2, 3, 1, 2, 3))
  })
})

test('integers are exact on the host far beyond float32, and refused on a device', async () => {
  const size: ModelInit = {
    opset: 13,
    inputs: { x: ['n'] },
    types: { x: int64, y: int64 },
    outputs: ['y'],
    constants: { c: { dims: [1], data: [2 ** 40 + 1] } },
    ops: [{ type: 'Add', inputs: ['c', 'c'], outputs: ['y'] }],
  }
  expect((await open(size).run({ x: ints(1) })).y.data).toEqual(BigInt64Array.of(2n ** 41n + 2n))
  const device = open({ ...size, ops: [{ type: 'Neg', inputs: ['x'], outputs: ['y'] }] })
  expect((await device.run({ x: ints(-(2 ** 24), 2 ** 24) })).y).toEqual(ints(2 ** 24, -(2 ** 24)))
  await expect(device.run({ x: ints(1, 2 ** 24 + 1) })).rejects.toThrow(/16777217.*16777216/)
  const mixed = open({ ...size, ops: [{ type: 'Mul', inputs: ['x', 'c'], outputs: ['y'] }] })
  await expect(mixed.run({ x: ints(1) })).rejects.toThrow(/1099511627777/)
  // What only passes through is given back as it came.
  const same = open({ ...size, ops: [{ type: 'Identity', inputs: ['x'], outputs: ['y'] }] })
  expect((await same.run({ x: ints(2 ** 50) })).y).toEqual(ints(2 ** 50))
})

test('comparisons give bool, and casts the type they name', async () => {
  const session = open({
    opset: 13,
    inputs: { x: [4] },
    types: { b: bool, i: int64 },
    outputs: ['b', 'i', 'u'],
    constants: { two: { dims: [], data: Float32Array.of(2) } },
    ops: [
      { type: 'Greater', inputs: ['x', 'two'], outputs: ['b'] },
      { type: 'Cast', inputs: ['x'], outputs: ['i'], attributes: { to: int64 } },
      { type: 'Cast', inputs: ['i'], outputs: ['u'], attributes: { to: 2 } },
    ],
  })
  const { b, i, u } = await session.run({ x: floats([4], -1.9, 2, 2.5, 300.7) })
  expect(b).toEqual({ type: 'bool', dims: [4], data: Uint8Array.of(0, 0, 1, 1) })
  expect(i).toEqual(ints(-1, 2, 2, 300))
  expect(u).toEqual({ type: 'uint8', dims: [4], data: Uint8Array.of(255, 2, 2, 44) })
})

test('shapes may be empty, and may change from run to run', async () => {
  const session = open({
    opset: 13,
    inputs: { x: ['n', 2] },
    outputs: ['y', 'z'],
    constants: { w: { dims: [2, 2], data: Float32Array.of(1, 2, 3, 4) } },
    ops: [
      { type: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] },
      { type: 'ReduceSum', inputs: ['y'], outputs: ['z'], attributes: { keepdims: 0 } },
    ],
  })
  const empty = await session.run({ x: floats([0, 2]) })
  expect(empty).toEqual({ y: floats([0, 2]), z: floats([], 0) })
  expect(await session.run({ x: floats([1, 2], 1, 1) })).toEqual({ y: floats([1, 2], 4, 6), z: floats([], 10) })
})

test('wrong inputs are refused in one line that says what is wanted', async () => {
  const session = open({ ...reshape, inputs: { x: ['n', 3], shape: ['k'] } })
  const shape = ints(-1)
  await expect(session.run({ x: floats([1, 3], 1, 2, 3) })).rejects.toThrow(/lacks "shape"/)
  await expect(session.run({ x: floats([1, 3], 1, 2, 3), shape, z: shape })).rejects.toThrow(/does not know "z"/)
  await expect(session.run({ x: shape, shape })).rejects.toThrow(/"x" float32 \[n, 3\] got int64 \[1\]/)
  await expect(session.run({ x: floats([1, 4], 1, 2, 3, 4), shape })).rejects.toThrow(/\[n, 3\] got float32 \[1, 4\]/)
  await expect(session.run({ x: floats([2, 3], 1), shape })).rejects.toThrow(PeerError)
})

test('every half float goes to its value and back', () => {
  for (let bits = 0; bits < 0x10000; bits++) {
    const value = float16Value(bits)
    if (Number.isNaN(value)) expect(float16Bits(value)).toBe(0x7e00)
    else expect(float16Bits(value)).toBe(bits)
  }
  // Ties go to the even neighbour; what is halfway beyond the largest becomes infinity.
  expect([2049, 2051, 65519.99, 65520].map(float16Bits)).toEqual([0x6800, 0x6802, 0x7bff, 0x7c00])
})
