/**
 * Reads NumPy's `.npy` (format versions 1 to 3): either byte order, C and Fortran order. The header is a Python dict of
 * three keys; it is matched, never evaluated, and its shape is bounded before anything is made for it.
 *
 * Source: NumPy's numpy.lib.format.
 */
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { type NpyArray, type NpyType, npyMagic, npyTypes, npyView } from '../npy.ts'

/** NumPy itself refuses longer headers of arrays that it does not trust. */
const headerBytesMax = 10_000

/** What stands before an array's data. */
export interface NpyHeader {
  type: NpyType
  dims: readonly number[]
  /** Of one element. */
  elementBytes: number
  /** The first axis is the fastest. */
  fortran: boolean
  /** Its bytes are the other way round. */
  bigEndian: boolean
  /** Where the data begins in the file. */
  start: number
}

/** Bytes that hold any header that is read. */
export const npyHeadBytesMax = 12 + headerBytesMax

/**
 * @param what names the file in errors
 * @throws PeerError INPUT_NPY
 */
export function readNpy(bytes: Uint8Array, what: string): NpyArray {
  const header = readNpyHeader(bytes, what)
  const body = bytes.subarray(header.start)
  checkNpyBytes(header, body.length, what)
  return decodeNpy(header, body)
}

/**
 * @param bytes the file's first `npyHeadBytesMax`, or all of it
 * @param elementsMax more for an array that is read piece by piece
 * @throws PeerError INPUT_NPY
 */
export function readNpyHeader(
  bytes: Uint8Array,
  what: string,
  elementsMax: number = limits.tensorElementsMax,
): NpyHeader {
  const fail = (problem: string) => npyError(what, problem)
  if (bytes.length < 10 || npyMagic.some((byte, i) => bytes[i] !== byte)) throw fail('is not an .npy file')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const version = bytes[6]
  if (version < 1 || version > 3 || bytes.length < 12) throw fail(`has the .npy format version ${version}`)
  const start = version === 1 ? 10 : 12
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true)
  if (length > headerBytesMax || start + length > bytes.length) throw fail('is cut off in its header')
  const header = new TextDecoder().decode(bytes.subarray(start, start + length))
  const descr = /'descr'\s*:\s*'([<>|=]?)([a-zA-Z]\d+)'/.exec(header)
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(header)
  const shape = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(header)
  if (!descr || !order || !shape) throw fail('holds something else than an array of plain numbers')
  const type = npyTypes[descr[2]]
  if (!type) throw fail(`holds the type "${descr[1]}${descr[2]}", which is not read`)
  const dims = shape[1]
    .split(',')
    .map(text => text.trim().replace('L', ''))
    .filter(text => text !== '')
    .map(Number)
  const elements = dims.reduce((product, dim) => product * dim, 1)
  if (dims.length > limits.tensorRankMax || !(elements <= elementsMax)) {
    throw fail(`has the shape (${dims.join(', ')}), which is too large`)
  }
  const fortran = order[1] === 'True' && dims.length > 1
  return {
    ...{ type: type.type, dims, fortran },
    elementBytes: type.bytes,
    bigEndian: descr[1] === '>',
    start: start + length,
  }
}

/**
 * @param length of the data in bytes
 * @throws PeerError INPUT_NPY where the shape wants another
 */
export function checkNpyBytes({ dims, elementBytes }: NpyHeader, length: number, what: string): void {
  const wanted = dims.reduce((product, dim) => product * dim, elementBytes)
  if (length !== wanted) throw npyError(what, `holds ${length} bytes of data where its shape wants ${wanted}`)
}

/**
 * The array; its data is a copy.
 * @param body all of its data or, in C order, that of the first axis's `dims[0]` neighbours
 */
export function decodeNpy(
  { type, elementBytes, fortran, bigEndian, dims: all }: NpyHeader,
  body: Uint8Array,
  dims = all,
): NpyArray {
  // Not `slice`, which on a Buffer is a view of the pool that it lies in.
  const own = new Uint8Array(body)
  if (bigEndian) swapBytes(own, elementBytes)
  const ordered = fortran ? rowMajor(own, dims, elementBytes) : own
  if (type === 'bool') for (let i = 0; i < ordered.length; i++) ordered[i] = ordered[i] === 0 ? 0 : 1
  return { type, dims, data: npyView(type, ordered.buffer) }
}

function npyError(what: string, problem: string): PeerError {
  return new PeerError({
    code: 'INPUT_NPY',
    kind: 'input',
    message: `${what} ${problem}; save it again with numpy.save`,
  })
}

function swapBytes(bytes: Uint8Array, size: number): void {
  for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse()
}

/** Elements in Fortran order (first axis fastest) brought into C order. */
function rowMajor(bytes: Uint8Array<ArrayBuffer>, dims: readonly number[], size: number): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(bytes.length)
  const place = new Array<number>(dims.length).fill(0)
  const strides = dims.map((_, axis) => dims.slice(0, axis).reduce((product, dim) => product * dim, 1))
  for (let to = 0; to < bytes.length; to += size) {
    const from = place.reduce((sum, index, axis) => sum + index * strides[axis], 0) * size
    for (let i = 0; i < size; i++) result[to + i] = bytes[from + i]
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      place[axis]++
      if (place[axis] < dims[axis]) break
      place[axis] = 0
    }
  }
  return result
}
