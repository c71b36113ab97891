/** Operators that prepare features, encoders, strings on their way through a model, and ZipMap. */
import { beforeAll, describe, expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import type { Backend } from '../../../src/compute/backends/types.ts'
import { createWasmBackend } from '../../../src/compute/backends/wasm/backend.ts'
import { loadModel } from '../../../src/compute/engine/model.ts'
import { openSession, type TextTensor } from '../../../src/compute/engine/session.ts'
import type { TypedTensor } from '../../../src/compute/tensor/element-type.ts'
import { expectAsOnnxruntime } from './against-onnxruntime.ts'
import { type AttributeInit, makeModel, type OpInit, type TensorInit } from './make-model.ts'

/** TensorProto.DataType */
const [float32, int64, text] = [1, 7, 8]
const domain = 'ai.onnx.ml'
const floats = (...list: number[]): AttributeInit => ({ floats: list })
const strings = (...list: string[]): AttributeInit => ({ strings: list })

interface Graph {
  ops: OpInit[]
  /** Name -> dims and type. */
  inputs: Record<string, [dims: (number | string)[], type: number]>
  outputs: Record<string, number>
  constants?: Record<string, TensorInit>
  version?: number
}

function model({ ops, inputs, outputs, constants, version = 3 }: Graph): Uint8Array {
  const ports = Object.entries(inputs)
  return makeModel({
    opset: 13,
    domains: { [domain]: version },
    inputs: Object.fromEntries(ports.map(([name, [dims]]) => [name, dims])),
    types: { ...Object.fromEntries(ports.map(([name, [, type]]) => [name, type])), ...outputs },
    outputs: Object.keys(outputs),
    constants,
    ops,
  })
}

const one = (
  type: string,
  attributes: Record<string, AttributeInit>,
  dims: (number | string)[],
  [from, to]: [number, number] = [float32, float32],
  version = 3,
) =>
  model({
    ops: [{ type, domain, name: 'op', inputs: ['x'], outputs: ['y'], attributes }],
    inputs: { x: [dims, from] },
    outputs: { y: to },
    version,
  })

const f32 = (dims: number[], ...data: number[]): TypedTensor => ({
  type: 'float32',
  dims,
  data: Float32Array.from(data),
})
const i64 = (dims: number[], ...data: number[]): TypedTensor => ({
  type: 'int64',
  dims,
  data: BigInt64Array.from(data.map(BigInt)),
})
const words = (dims: number[], ...data: string[]): TextTensor => ({ type: 'string', dims, data })

let backend: Backend
beforeAll(async () => {
  backend = await createWasmBackend()
})
const hold = (bytes: Uint8Array, inputs: Record<string, TypedTensor | TextTensor>) =>
  expectAsOnnxruntime(backend, bytes, inputs)

/** Runs what onnxruntime-web cannot show, or refuses. */
async function run(bytes: Uint8Array, inputs: Record<string, TypedTensor | TextTensor>) {
  const session = openSession(backend, loadModel(bytes))
  try {
    return await session.run(inputs)
  } finally {
    session.dispose()
  }
}

const sample = f32([3, 4], 1, -2, 3, 0, 0, 0, 0, 0, -1, -5, -0.5, 2)

describe('features', () => {
  test('Scaler by feature, by one number, of integers, with a large offset', async () => {
    const each = { offset: floats(1, 2, 3, 4), scale: floats(0.5, -1, 3, 0) }
    await hold(one('Scaler', each, ['N', 4]), { x: sample })
    await hold(one('Scaler', { offset: floats(0.5), scale: floats(-2) }, ['N', 4]), { x: sample })
    await hold(one('Scaler', each, ['N', 4], [int64, float32]), { x: i64([2, 4], 1, 2, 3, 4, -5, 0, 7, 8) })
    const large = { offset: floats(1e6), scale: floats(8) }
    await hold(one('Scaler', large, ['N', 2]), { x: f32([2, 2], 1000001, 1000000.5, 999999, 1e6) })
  })

  test.each(['MAX', 'L1', 'L2'])('Normalizer %s, also of rows of zeros and of a vector', async norm => {
    await hold(one('Normalizer', { norm }, ['N', 4]), { x: sample })
    await hold(one('Normalizer', { norm }, [4]), { x: f32([4], 1, -2, 3, 4) })
  })

  test('Imputer of NaN, of a number, of integers', async () => {
    const holes = f32([2, 3], Number.NaN, 1, -1, 2, Number.NaN, -1)
    const nan = { float: Number.NaN }
    await hold(one('Imputer', { imputed_value_floats: floats(7, 8, 9), replaced_value_float: nan }, ['N', 3]), {
      x: holes,
    })
    await hold(one('Imputer', { imputed_value_floats: floats(7), replaced_value_float: { float: -1 } }, ['N', 3]), {
      x: holes,
    })
    const whole = { imputed_value_int64s: [5, 6], replaced_value_int64: -1 }
    await hold(one('Imputer', whole, ['N', 2], [int64, int64]), { x: i64([2, 2], -1, 1, 3, -1) })
  })

  test('Binarizer', async () => {
    const x = f32([2, 3], 0.5, 0.25, -1, 0, 0.50001, 9)
    await hold(one('Binarizer', { threshold: { float: 0.5 } }, ['N', 3]), { x })
    await hold(one('Binarizer', {}, ['N', 3]), { x })
  })

  test('FeatureVectorizer cuts and fills up', async () => {
    const bytes = model({
      ops: [
        {
          type: 'FeatureVectorizer',
          domain,
          inputs: ['a', 'b'],
          outputs: ['y'],
          attributes: { inputdimensions: [3, 1] },
        },
      ],
      inputs: { a: [['N', 2], float32], b: [['N', 2], float32] },
      outputs: { y: float32 },
    })
    await hold(bytes, { a: f32([2, 2], 1, 2, 3, 4), b: f32([2, 2], 5, 6, 7, 8) })
  })

  test('ArrayFeatureExtractor by known and by computed places', async () => {
    const op = { type: 'ArrayFeatureExtractor', domain, inputs: ['x', 'places'], outputs: ['y'] }
    const places = { dims: [1, 3], data: [2, 0, 2] }
    const known = model({
      ops: [op],
      inputs: { x: [['N', 4], float32] },
      outputs: { y: float32 },
      constants: { places },
    })
    await hold(known, { x: sample })
    const computed = model({
      ops: [op],
      inputs: { x: [[4], float32], places: [['K'], int64] },
      outputs: { y: float32 },
    })
    await hold(computed, { x: f32([4], 5, 6, 7, 8), places: i64([3], 3, 0, 1) })
  })
})

describe('LabelEncoder', () => {
  const keys = [5, -3, 0, 7, 16777216, 2]
  const numbers = i64([3, 3], 5, -3, 0, 7, 1, 16777216, 2, 3, -4)

  test('integers to floats, integers to strings', async () => {
    const values = floats(0.5, 1, -2, 3, 4, 5)
    await hold(
      one(
        'LabelEncoder',
        { keys_int64s: keys, values_floats: values, default_float: { float: 9 } },
        ['N', 3],
        [int64, float32],
      ),
      { x: numbers },
    )
    const names = strings('a', 'b', 'c', 'a', 'e', 'f')
    const bytes = one(
      'LabelEncoder',
      { keys_int64s: keys, values_strings: names, default_string: '?' },
      ['N', 3],
      [int64, text],
    )
    const { y } = await hold(bytes, { x: numbers })
    expect(y.strings).toEqual(['a', 'b', 'c', 'a', '?', 'e', 'f', '?', '?'])
  })

  test('floats that lie beside the keys, infinities, zeros of both signs', async () => {
    const list = [0.1, -0.1, 0, 1e30, Number.POSITIVE_INFINITY, 2 ** -149]
    const attributes = { keys_floats: floats(...list), values_int64s: [1, 2, 3, 4, 5, 6], default_int64: -9 }
    const x = f32(
      [3, 4],
      0.1,
      Math.fround(0.1) + 2 ** -27,
      -0.1,
      -0,
      0,
      1e30,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      2 ** -149,
      -(2 ** -149),
      3e38,
      1,
    )
    await hold(one('LabelEncoder', attributes, ['N', 4], [float32, int64]), { x })
  })

  test('NaN as a key', async () => {
    const attributes = { keys_floats: floats(1, Number.NaN, 3), values_int64s: [10, 20, 30] }
    const { y } = await run(one('LabelEncoder', attributes, ['N'], [float32, int64]), {
      x: f32([4], Number.NaN, 3, 2, 1),
    })
    expect(Array.from(y.data, Number)).toEqual([20, 30, -1, 10])
  })

  test('strings to integers, and to strings', async () => {
    const x = words([2, 3], 'rot', 'grün', 'blau', '', 'rot', 'grün ')
    const keys_strings = strings('rot', 'grün', 'blau')
    await hold(one('LabelEncoder', { keys_strings, values_int64s: [4, -2, 0] }, ['N', 3], [text, int64]), { x })
    await hold(one('LabelEncoder', { keys_strings, values_strings: strings('r', 'g', 'b') }, ['N', 3], [text, text]), {
      x,
    })
    await hold(one('LabelEncoder', { classes_strings: strings('rot', 'grün') }, ['N', 3], [text, int64], 1), { x })
  })

  test('tensors as keys and values', async () => {
    const attributes = {
      keys_tensor: { tensor: { dims: [3], data: [1, 2, 3] } },
      values_tensor: { tensor: { dims: [3], data: ['x', 'y', 'x'] } },
      default_tensor: { tensor: { dims: [1], data: ['none'] } },
    }
    await hold(one('LabelEncoder', attributes, ['N'], [int64, text], 4), { x: i64([4], 3, 2, 9, 1) })
  })

  test('a hundred keys', async () => {
    const random = prng(3)
    const many = [...new Set(Array.from({ length: 100 }, () => random.int(400) - 200))]
    const attributes = { keys_int64s: many, values_int64s: many.map((_, i) => i), default_int64: -1 }
    await hold(one('LabelEncoder', attributes, ['N'], [int64, int64]), {
      x: i64([500], ...Array.from({ length: 500 }, () => random.int(500) - 250)),
    })
  })
})

describe('OneHotEncoder', () => {
  test('integers, floats that are cut, strings', async () => {
    const cats_int64s = [3, 1, -2]
    await hold(one('OneHotEncoder', { cats_int64s, zeros: 1 }, ['N', 2], [int64, float32]), {
      x: i64([2, 2], 1, 3, -2, 5),
    })
    await hold(one('OneHotEncoder', { cats_int64s, zeros: 1 }, ['N', 2]), { x: f32([2, 2], 1.75, 3, -2.5, 0.5) })
    await hold(one('OneHotEncoder', { cats_strings: strings('a', 'b'), zeros: 1 }, ['N'], [text, float32]), {
      x: words([3], 'b', 'c', 'a'),
    })
  })

  test('a category that is not there, where zeros are not allowed, is NaN', async () => {
    const bytes = one('OneHotEncoder', { cats_int64s: [1, 2], zeros: 0 }, ['N'], [int64, float32])
    const { y } = await run(bytes, { x: i64([2], 2, 3) })
    expect([...y.data]).toEqual([0, 1, Number.NaN, Number.NaN])
  })
})

describe('strings and maps', () => {
  test('names of classes by computed places, moved about', async () => {
    const bytes = model({
      ops: [
        { type: 'ArgMax', inputs: ['x'], outputs: ['best'], attributes: { axis: 1, keepdims: 0 } },
        { type: 'ArrayFeatureExtractor', domain, inputs: ['names', 'best'], outputs: ['named'] },
        { type: 'Reshape', inputs: ['named', 'shape'], outputs: ['y'] },
      ],
      inputs: { x: [['N', 4], float32] },
      outputs: { y: text },
      constants: { names: { dims: [4], data: ['a', 'b', 'b', 'd'] }, shape: { dims: [1], data: [-1] } },
    })
    await hold(bytes, { x: sample })
  })

  test('strings pass through a model as they came, those that it does not name too', async () => {
    const bytes = model({
      ops: [
        { type: 'Identity', inputs: ['x'], outputs: ['same'] },
        {
          type: 'LabelEncoder',
          domain,
          inputs: ['x'],
          outputs: ['y'],
          attributes: { keys_strings: strings('a'), values_int64s: [1] },
        },
      ],
      inputs: { x: [['N'], text] },
      outputs: { same: text, y: int64 },
    })
    await hold(bytes, { x: words([2], 'a', 'never seen') })
  })

  test('a string without a name never leaves as another', async () => {
    const bytes = model({
      ops: [
        { type: 'Transpose', inputs: ['x'], outputs: ['turned'] },
        {
          type: 'LabelEncoder',
          domain,
          inputs: ['x'],
          outputs: ['y'],
          attributes: { keys_strings: strings('a', 'b'), values_int64s: [1, 2] },
        },
      ],
      inputs: { x: [['N', 2], text] },
      outputs: { turned: text, y: int64 },
    })
    const { turned } = await run(bytes, { x: words([2, 2], 'a', 'b', 'b', 'b') })
    expect(turned.strings).toEqual(['a', 'b', 'b', 'b'])
    await expect(run(bytes, { x: words([2, 2], 'a', 'z', 'b', 'a') })).rejects.toMatchObject({
      code: 'INPUT_UNKNOWN_STRING',
    })
  })

  test('numbers that are written as strings become numbers', async () => {
    const keys = { keys_int64s: [1, 2, 3], values_strings: strings('10', '-2.5', '1e3'), default_string: '0' }
    const bytes = model({
      ops: [
        { type: 'LabelEncoder', domain, inputs: ['x'], outputs: ['s'], attributes: keys },
        { type: 'Cast', inputs: ['s'], outputs: ['y'], attributes: { to: float32 } },
        { type: 'Cast', inputs: ['s'], outputs: ['same'], attributes: { to: text } },
      ],
      inputs: { x: [['N'], int64] },
      outputs: { y: float32, same: text },
    })
    await hold(bytes, { x: i64([4], 3, 2, 9, 1) })
  })

  test('an operator that computes is not given strings, and is named', async () => {
    const bytes = model({
      ops: [
        {
          type: 'LabelEncoder',
          domain,
          inputs: ['x'],
          outputs: ['s'],
          attributes: { keys_int64s: [1], values_strings: strings('a') },
        },
        { type: 'Add', name: 'sum', inputs: ['s', 's'], outputs: ['y'] },
      ],
      inputs: { x: [['N'], int64] },
      outputs: { y: text },
    })
    await expect(run(bytes, { x: i64([1], 1) })).rejects.toThrow(/Add "sum".*computes with strings/)
  })

  test('an input of strings that no operator knows is refused when the model is loaded', () => {
    const bytes = model({
      ops: [{ type: 'Identity', inputs: ['x'], outputs: ['y'] }],
      inputs: { x: [['N'], text] },
      outputs: { y: text },
    })
    expect(() => loadModel(bytes)).toThrow(/"x" takes strings/)
  })

  test('an input of strings is given strings, one for each element', async () => {
    const bytes = one('LabelEncoder', { keys_strings: strings('a'), values_int64s: [1] }, ['N'], [text, int64])
    await expect(run(bytes, { x: i64([1], 1) })).rejects.toMatchObject({ code: 'INPUT_PORT' })
    await expect(run(bytes, { x: words([2], 'a') })).rejects.toThrow(/one string for each/)
  })

  test('ZipMap names the columns', async () => {
    const zip = (attributes: Record<string, AttributeInit>) => one('ZipMap', attributes, ['N', 2])
    const x = f32([2, 2], 0.25, 0.75, 1, 0)
    const { y } = await run(zip({ classlabels_strings: strings('no', 'yes') }), { x })
    expect(y).toEqual({
      type: 'float32',
      dims: [2, 2],
      data: Float32Array.of(0.25, 0.75, 1, 0),
      columns: ['no', 'yes'],
    })
    expect((await run(zip({ classlabels_int64s: [-1, 5] }), { x })).y.columns).toEqual(['-1', '5'])
    await expect(run(zip({ classlabels_int64s: [1] }), { x })).rejects.toThrow(/ZipMap "op".*labels for its scores/)
  })
})
