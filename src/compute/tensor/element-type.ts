/**
 * ONNX's element types, and how each travels: on the host a constant is float32 or doubles, on a device every tensor
 * is float32 (the carrier). Integers are exact there up to 2^24 in magnitude; booleans are 0 and 1; float64 and
 * float16 are computed in float32.
 *
 * Invariant: an integer that the carrier cannot hold is an error at the boundary, never a wrong number.
 */
import { PeerError } from '../../base/errors.ts'
import { elementsOf, type Shape, shapeText } from './shape.ts'

/** What a caller holds for each type: float16 as its bits, bool as 0 and 1. */
export interface TypedArrays {
  float32: Float32Array
  float64: Float64Array
  float16: Uint16Array
  int8: Int8Array
  int16: Int16Array
  int32: Int32Array
  int64: BigInt64Array
  uint8: Uint8Array
  uint16: Uint16Array
  uint32: Uint32Array
  uint64: BigUint64Array
  bool: Uint8Array
}

export type ElementType = keyof TypedArrays
export type TypedArray = TypedArrays[ElementType]

/** A tensor at the boundary: `data` is the array that `TypedArrays` names for `type`, dense and row-major. */
export interface TypedTensor {
  readonly type: ElementType
  readonly dims: Shape
  readonly data: TypedArray
}

interface TypeFacts {
  readonly kind: 'float' | 'integer' | 'bool'
  readonly bytes: number
  /** Least and largest value of an integer type. */
  readonly range?: readonly [number, number]
  make(length: number): TypedArray
}

const facts: { readonly [T in ElementType]: TypeFacts } = {
  float32: { kind: 'float', bytes: 4, make: length => new Float32Array(length) },
  float64: { kind: 'float', bytes: 8, make: length => new Float64Array(length) },
  float16: { kind: 'float', bytes: 2, make: length => new Uint16Array(length) },
  int8: { kind: 'integer', bytes: 1, range: [-128, 127], make: length => new Int8Array(length) },
  int16: { kind: 'integer', bytes: 2, range: [-32768, 32767], make: length => new Int16Array(length) },
  int32: { kind: 'integer', bytes: 4, range: [-(2 ** 31), 2 ** 31 - 1], make: length => new Int32Array(length) },
  int64: { kind: 'integer', bytes: 8, range: [-(2 ** 63), 2 ** 63], make: length => new BigInt64Array(length) },
  uint8: { kind: 'integer', bytes: 1, range: [0, 255], make: length => new Uint8Array(length) },
  uint16: { kind: 'integer', bytes: 2, range: [0, 65535], make: length => new Uint16Array(length) },
  uint32: { kind: 'integer', bytes: 4, range: [0, 2 ** 32 - 1], make: length => new Uint32Array(length) },
  uint64: { kind: 'integer', bytes: 8, range: [0, 2 ** 64], make: length => new BigUint64Array(length) },
  bool: { kind: 'bool', bytes: 1, make: length => new Uint8Array(length) },
}

export function isElementType(name: string): name is ElementType {
  return Object.hasOwn(facts, name)
}

export function isFloat(type: ElementType): boolean {
  return facts[type].kind === 'float'
}

export function isInteger(type: ElementType): boolean {
  return facts[type].kind === 'integer'
}

/** Bytes of one element in a file or at the boundary. */
export function elementBytes(type: ElementType): number {
  return facts[type].bytes
}

/** Least and largest value of an integer type; undefined for others. */
export function integerRange(type: ElementType): readonly [number, number] | undefined {
  return facts[type].range
}

/** Whether the values fit the array that `TypedArrays` names. */
export function holdsType(type: ElementType, data: unknown): data is TypedArray {
  return data instanceof Object && Object.getPrototypeOf(data) === Object.getPrototypeOf(facts[type].make(0))
}

/** The largest magnitude up to which every integer is a float32. */
export const carrierIntegerMax = 2 ** 24

/** A zeroed host array for values of `type`: doubles where float32 would lose integers or digits. */
export function makeHostArray(type: ElementType, elements: number): Float32Array | Float64Array {
  return isFloat(type) && type !== 'float64' ? new Float32Array(elements) : new Float64Array(elements)
}

/**
 * Host values as the float32 of a device.
 * @param what names the tensor in the error
 * @throws PeerError MODEL_INTEGER_RANGE when an integer is beyond what float32 holds exactly
 */
export function toCarrier(type: ElementType, data: ArrayLike<number>, what: string): Float32Array {
  const floats = data instanceof Float32Array ? data : new Float32Array(data.length)
  if (floats === data) return floats
  const integer = isInteger(type)
  for (let i = 0; i < data.length; i++) {
    if (integer && Math.abs(data[i]) > carrierIntegerMax) {
      throw new PeerError({
        code: 'MODEL_INTEGER_RANGE',
        kind: 'model',
        message: `${what} holds the integer ${data[i]}, and tensors that are computed on a device hold integers to ${carrierIntegerMax}; use smaller values or floats`,
        details: { got: data[i], expected: carrierIntegerMax },
      })
    }
    floats[i] = data[i]
  }
  return floats
}

/** A caller's tensor as host values; float32 is not copied. */
export function toHost({ type, data }: TypedTensor): Float32Array | Float64Array {
  if (data instanceof Float32Array || data instanceof Float64Array) return data
  const host = makeHostArray(type, data.length)
  for (let i = 0; i < data.length; i++) host[i] = hostValue(type, data[i])
  return host
}

function hostValue(type: ElementType, value: number | bigint): number {
  const number = Number(value)
  if (type === 'bool') return number === 0 ? 0 : 1
  return type === 'float16' ? float16Value(number) : number
}

/** Host or device values as a caller's tensor, rounded or cut to its type; always a fresh array. */
export function fromHost(type: ElementType, dims: Shape, values: ArrayLike<number>): TypedTensor {
  const data = facts[type].make(values.length)
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (let i = 0; i < values.length; i++) data[i] = BigInt(Number.isFinite(values[i]) ? Math.trunc(values[i]) : 0)
  } else if (type === 'float16') {
    for (let i = 0; i < values.length; i++) data[i] = float16Bits(values[i])
  } else if (type === 'bool') {
    for (let i = 0; i < values.length; i++) data[i] = values[i] === 0 ? 0 : 1
  } else {
    data.set(values)
  }
  return { type, dims, data }
}

/** @throws PeerError INPUT_TENSOR when type, dims and data do not fit together */
export function checkTyped(tensor: TypedTensor, what: string): void {
  const fits = tensor.dims.every(dim => Number.isInteger(dim) && dim >= 0)
  if (fits && holdsType(tensor.type, tensor.data) && tensor.data.length === elementsOf(tensor.dims)) return
  throw new PeerError({
    code: 'INPUT_TENSOR',
    kind: 'input',
    message: `${what} is said to be ${tensor.type} ${shapeText(tensor.dims)}, and its array is a ${tensor.data?.constructor?.name} of ${tensor.data?.length}; give the array that fits`,
  })
}

/** The value of IEEE 754 binary16 bits. */
export function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** The binary16 nearest to a value, ties to even. */
export function float16Bits(value: number): number {
  if (Number.isNaN(value)) return 0x7e00
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const size = Math.abs(value)
  if (size >= 65520) return sign | 0x7c00
  if (size < 2 ** -14) return sign | roundEven(size * 2 ** 24)
  const exponent = exponentOf(size)
  // A fraction that rounds up to 1024 carries into the exponent, as it should.
  return sign + ((exponent + 15) << 10) + roundEven((size / 2 ** exponent - 1) * 1024)
}

function exponentOf(size: number): number {
  const exponent = Math.floor(Math.log2(size))
  return 2 ** exponent > size ? exponent - 1 : 2 ** (exponent + 1) <= size ? exponent + 1 : exponent
}

function roundEven(value: number): number {
  const low = Math.floor(value)
  const rest = value - low
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low
}
