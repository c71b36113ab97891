/**
 * TensorProto -> `Constant`. Raw data is viewed where it lies when its alignment allows, copied otherwise. The number
 * of values always equals the product of the dims.
 */
import { limits } from '../../base/limits.ts'
import type { Constant, ConstantType } from '../tensor/constant.ts'
import { checkShape, elementsOf, shapeText } from '../tensor/shape.ts'
import { modelError } from './model.ts'
import { type RawTensor, toNumber } from './schema.ts'

/** TensorProto.DataType by number. */
const elementTypes = [
  ...['undefined', 'float32', 'uint8', 'int8', 'uint16', 'int16', 'int32', 'int64', 'string', 'bool', 'float16'],
  ...['float64', 'uint32', 'uint64', 'complex64', 'complex128', 'bfloat16'],
]

export function elementTypeName(dataType: number): string {
  return elementTypes[dataType] ?? `type ${dataType}`
}

interface Reader {
  bytes: number
  read(view: DataView, at: number): number
  /** Where the values lie when there is no raw data. */
  typed(raw: RawTensor): ArrayLike<number>
}

const readers: { readonly [K in ConstantType]: Reader } = {
  float32: { bytes: 4, read: (view, at) => view.getFloat32(at, true), typed: raw => raw.floatData },
  float64: { bytes: 8, read: (view, at) => view.getFloat64(at, true), typed: raw => raw.doubleData },
  int64: {
    bytes: 8,
    read: (view, at) => Number(view.getBigInt64(at, true)),
    typed: raw => raw.int64Data.map(toNumber),
  },
  int32: { bytes: 4, read: (view, at) => view.getInt32(at, true), typed: raw => raw.int32Data },
  int8: { bytes: 1, read: (view, at) => view.getInt8(at), typed: raw => raw.int32Data },
  uint8: { bytes: 1, read: (view, at) => view.getUint8(at), typed: raw => raw.int32Data },
  bool: { bytes: 1, read: (view, at) => view.getUint8(at), typed: raw => raw.int32Data },
}

export function isConstantType(name: string): name is ConstantType {
  return Object.hasOwn(readers, name)
}

const externalLocation = 1

/** @param what names the tensor in errors */
export function decodeTensor(raw: RawTensor, what: string): Constant {
  if (raw.dims.length > limits.tensorRankMax) {
    throw modelError(
      'MODEL_BAD_SHAPE',
      `${what} has ${raw.dims.length} dims; at most ${limits.tensorRankMax} are computed with`,
    )
  }
  const dims = checkShape(raw.dims.map(toNumber), what)
  if (raw.dataLocation === externalLocation) {
    throw modelError(
      'MODEL_EXTERNAL_DATA',
      `${what} lies in another file; save the model with its weights inside one .onnx file`,
    )
  }
  const dtype = elementTypeName(raw.dataType)
  if (!isConstantType(dtype)) {
    throw modelError(
      'MODEL_UNSUPPORTED_TYPE',
      `${what} holds ${dtype}, which is not computed with; export the model in float32`,
    )
  }
  const elements = elementsOf(dims)
  const reader = readers[dtype]
  if (raw.rawData instanceof Uint8Array && raw.rawData.length > 0) {
    if (raw.rawData.length !== elements * reader.bytes) throw wrongLength(what, dims, raw.rawData.length / reader.bytes)
    return { dims, dtype, data: fromRaw(raw.rawData, dtype, elements, reader) }
  }
  const typed = reader.typed(raw)
  if (typed.length !== elements) throw wrongLength(what, dims, typed.length)
  return { dims, dtype, data: dtype === 'float32' ? new Float32Array(typed) : new Float64Array(typed) }
}

function wrongLength(what: string, dims: readonly number[], got: number) {
  return modelError(
    'MODEL_BAD_SHAPE',
    `${what} of shape ${shapeText(dims)} holds ${got} values; the file is damaged, copy it again`,
  )
}

function fromRaw(
  bytes: Uint8Array,
  dtype: ConstantType,
  elements: number,
  reader: Reader,
): Float32Array | Float64Array {
  // ONNX is little-endian, as is every machine that runs WebAssembly at speed; typed arrays may view the file.
  if (dtype === 'float32') {
    const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes)
    return new Float32Array(aligned.buffer, aligned.byteOffset, elements)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Float64Array.from({ length: elements }, (_, i) => reader.read(view, i * reader.bytes))
}
