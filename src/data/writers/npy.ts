/** Writes NumPy's `.npy`, format version 1, little-endian, C order. Source: NumPy's numpy.lib.format. */
import { assert } from '../../base/errors.ts'
import { type NpyArray, npyMagic, npyTypes } from '../npy.ts'

/** The whole header is a multiple of this, so that the data can be mapped. */
const headerAlignment = 64

export function writeNpy({ type, dims, data }: NpyArray): Uint8Array {
  assert(data.length === dims.reduce((product, dim) => product * dim, 1), 'the array is as long as its shape says')
  const header = npyHeader(type, dims)
  const result = new Uint8Array(header.length + data.byteLength)
  result.set(header)
  result.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), header.length)
  return result
}

/** What comes before the data, for arrays that are written piece by piece. */
export function npyHeader(type: NpyArray['type'], dims: readonly number[]): Uint8Array {
  const found = Object.entries(npyTypes).find(([, known]) => known.type === type)
  assert(found, `NumPy has a code for ${type}`)
  const [code, { bytes }] = found
  // A tuple of one has its comma, as in Python.
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(', ')
  const dict = `{'descr': '${bytes === 1 ? '|' : '<'}${code}', 'fortran_order': False, 'shape': (${shape}), }`
  const length = Math.ceil((10 + dict.length + 1) / headerAlignment) * headerAlignment
  const header = new Uint8Array(length)
  header.set([...npyMagic, 1, 0, (length - 10) & 255, (length - 10) >> 8])
  header.set(new TextEncoder().encode(`${dict.padEnd(length - 11)}\n`), 10)
  return header
}
