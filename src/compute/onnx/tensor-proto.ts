/**
 * TensorProto -> `Constant`. Raw data is viewed where it lies when its alignment allows, copied otherwise. The number
 * of values always equals the product of the dims.
 */
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import type { Constant } from '../tensor/constant.ts'
import { type ElementType, elementBytes, float16Value, isElementType, makeHostArray } from '../tensor/element-type.ts'
import { checkShape, elementsOf, shapeText } from '../tensor/shape.ts'
import { modelError } from './model.ts'
import { decodeRawTensor, type RawTensor, textOf, toNumber } from './schema.ts'

/** TensorProto.DataType by number. */
const elementTypes = [
  ...['undefined', 'float32', 'uint8', 'int8', 'uint16', 'int16', 'int32', 'int64', 'string', 'bool', 'float16'],
  ...['float64', 'uint32', 'uint64', 'complex64', 'complex128', 'bfloat16'],
]

export function elementTypeName(dataType: number): string {
  return elementTypes[dataType] ?? `type ${dataType}`
}

interface Reader {
  read(view: DataView, at: number): number
  /** Where the values lie when there is no raw data. */
  typed(raw: RawTensor): ArrayLike<number>
}

const int32Data = (raw: RawTensor) => raw.int32Data

const readers: { readonly [T in ElementType]: Reader } = {
  float32: { read: (view, at) => view.getFloat32(at, true), typed: raw => raw.floatData },
  float64: { read: (view, at) => view.getFloat64(at, true), typed: raw => raw.doubleData },
  float16: {
    read: (view, at) => float16Value(view.getUint16(at, true)),
    typed: raw => raw.int32Data.map(bits => float16Value(bits & 0xffff)),
  },
  int64: { read: (view, at) => Number(view.getBigInt64(at, true)), typed: raw => raw.int64Data.map(toNumber) },
  uint64: { read: (view, at) => Number(view.getBigUint64(at, true)), typed: raw => raw.uint64Data.map(toNumber) },
  uint32: { read: (view, at) => view.getUint32(at, true), typed: raw => raw.uint64Data.map(toNumber) },
  int32: { read: (view, at) => view.getInt32(at, true), typed: int32Data },
  int16: { read: (view, at) => view.getInt16(at, true), typed: int32Data },
  uint16: { read: (view, at) => view.getUint16(at, true), typed: int32Data },
  int8: { read: (view, at) => view.getInt8(at), typed: int32Data },
  uint8: { read: (view, at) => view.getUint8(at), typed: int32Data },
  bool: { read: (view, at) => Number(view.getUint8(at) !== 0), typed: raw => raw.int32Data.map(v => Number(v !== 0)) },
}

/**
 * Gives the bytes of a tensor that lies in another file.
 * @param location the file's name as the model says it
 * @param offset and `length` in bytes; length undefined: to the end
 */
export type ReadExternal = (location: string, offset: number, length: number | undefined, what: string) => Uint8Array

/** A TensorProto on its own, as ONNX's test data holds them. @throws PeerError MODEL_* */
export function decodeTensorFile(bytes: Uint8Array, what: string): Constant & { name: string } {
  let raw: RawTensor
  try {
    raw = decodeRawTensor(bytes)
  } catch (cause) {
    const message = `${what} is not a serialised ONNX tensor; copy it again`
    throw new PeerError({ code: 'MODEL_NOT_ONNX', kind: 'model', message, cause })
  }
  return { name: raw.name, ...decodeTensor(raw, what) }
}

/**
 * @param what names the tensor in errors
 * @throws PeerError MODEL_BAD_SHAPE, MODEL_UNSUPPORTED_TYPE, MODEL_EXTERNAL_DATA
 */
export function decodeTensor(raw: RawTensor, what: string, readExternal?: ReadExternal): Constant {
  if (raw.dims.length > limits.tensorRankMax) {
    throw modelError(
      'MODEL_BAD_SHAPE',
      `${what} has ${raw.dims.length} dims; at most ${limits.tensorRankMax} are computed with`,
    )
  }
  const dims = checkShape(raw.dims.map(toNumber), what)
  const type = elementTypeName(raw.dataType)
  if (type === 'string') return decodeStrings(raw, dims, what)
  if (!isElementType(type)) {
    throw modelError(
      'MODEL_UNSUPPORTED_TYPE',
      `${what} holds ${type}, which is not computed with; export the model in float32`,
    )
  }
  const elements = elementsOf(dims)
  const bytes = raw.dataLocation === externalLocation ? readFrom(raw, what, readExternal) : raw.rawData
  if (bytes instanceof Uint8Array && bytes.length > 0) {
    const size = elementBytes(type)
    if (bytes.length !== elements * size) throw wrongLength(what, dims, bytes.length / size)
    return { dims, type, data: fromRaw(bytes, type, elements) }
  }
  const typed = readers[type].typed(raw)
  if (typed.length !== elements) throw wrongLength(what, dims, typed.length)
  const data = makeHostArray(type, elements)
  data.set(typed)
  return { dims, type, data }
}

/** Each distinct string is a name, in the order in which they come. */
function decodeStrings(raw: RawTensor, dims: readonly number[], what: string): Constant {
  const { stringData } = raw
  if (stringData.length !== elementsOf(dims)) throw wrongLength(what, dims, stringData.length)
  if (stringData.length > limits.modelOpsMax) {
    throw modelError(
      'MODEL_UNSUPPORTED_TYPE',
      `${what} holds ${stringData.length} strings, and at most ${limits.modelOpsMax} are taken; use a smaller model`,
    )
  }
  const places = new Map<string, number>()
  const data = Float64Array.from(stringData, bytes => {
    const text = textOf(bytes)
    const place = places.get(text) ?? places.size
    places.set(text, place)
    return place
  })
  return { dims, type: 'int64', data, labels: { names: [...places.keys()], open: false } }
}

/** TensorProto.DataLocation.EXTERNAL */
export const externalLocation = 1

/** The bytes of a tensor whose location is `externalLocation`. @throws PeerError MODEL_EXTERNAL_DATA */
export function readFrom(raw: RawTensor, what: string, readExternal: ReadExternal | undefined): Uint8Array {
  if (!readExternal) {
    throw modelError(
      'MODEL_EXTERNAL_DATA',
      `${what} lies in another file, which is not read here; save the model with its weights inside one .onnx file`,
    )
  }
  const entries = new Map(raw.externalData.map(({ key, value }) => [key, value]))
  const number = (key: string): number | undefined => {
    const text = entries.get(key)
    if (text === undefined) return undefined
    if (!/^\d{1,15}$/.test(text))
      throw modelError('MODEL_EXTERNAL_DATA', `${what} has the ${key} "${text}" in its file`)
    return Number(text)
  }
  return readExternal(entries.get('location') ?? '', number('offset') ?? 0, number('length'), what)
}

function wrongLength(what: string, dims: readonly number[], got: number) {
  return modelError(
    'MODEL_BAD_SHAPE',
    `${what} of shape ${shapeText(dims)} holds ${got} values; the file is damaged, copy it again`,
    { expected: elementsOf(dims), got },
  )
}

function fromRaw(bytes: Uint8Array, type: ElementType, elements: number): Float32Array | Float64Array {
  // ONNX is little-endian, as is every machine that runs WebAssembly at speed; typed arrays may view the file.
  if (type === 'float32') {
    const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes)
    return new Float32Array(aligned.buffer, aligned.byteOffset, elements)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const data = makeHostArray(type, elements)
  const { read } = readers[type]
  const size = elementBytes(type)
  for (let i = 0; i < elements; i++) data[i] = read(view, i * size)
  return data
}
