/** .npy files: what NumPy writes is read, what is written is read back, and damaged files are refused in one line. */
import { expect, test } from 'vitest'
import { PeerError } from '../../../src/base/errors.ts'
import { readNpy } from '../../../src/data/readers/npy.ts'
import { writeNpy } from '../../../src/data/writers/npy.ts'

/** A file as NumPy lays it out, version 1. */
function file(header: string, data: number[]): Uint8Array {
  const text = `${header.padEnd(117)}\n`
  const bytes = [
    0x93,
    ...Buffer.from('NUMPY'),
    1,
    0,
    text.length & 255,
    text.length >> 8,
    ...Buffer.from(text),
    ...data,
  ]
  return Uint8Array.from(bytes)
}

test.each([
  ['float32', [2, 3], Float32Array.of(1, -2, 3.5, Number.NaN, Number.POSITIVE_INFINITY, -0)],
  ['float64', [1], Float64Array.of(Math.PI)],
  ['int64', [3], BigInt64Array.of(-1n, 2n ** 62n, 0n)],
  ['uint64', [], BigUint64Array.of(2n ** 64n - 1n)],
  ['int8', [2, 0], new Int8Array(0)],
  ['bool', [2], Uint8Array.of(1, 0)],
  ['float16', [2], Uint16Array.of(0x3c00, 0xfc00)],
] as const)('%s %j comes back as it was', (type, dims, data) => {
  expect(readNpy(writeNpy({ type, dims, data }), 'x.npy')).toEqual({ type, dims, data })
})

test('Fortran order and big-endian numbers are read as what they mean', () => {
  const fortran = file("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", [1, 4, 2, 5, 3, 6])
  expect(readNpy(fortran, 'x').data).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6))
  const big = file("{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }", [1, 0, 255, 254])
  expect(readNpy(big, 'x').data).toEqual(Int16Array.of(256, -2))
})

test('a file out of a buffer pool is read from its own bytes', () => {
  const bytes = Buffer.concat([Buffer.alloc(3), writeNpy({ type: 'int32', dims: [2], data: Int32Array.of(7, 8) })])
  expect(readNpy(bytes.subarray(3), 'x').data).toEqual(Int32Array.of(7, 8))
})

const good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"
test.each([
  ['not an .npy file', Uint8Array.of(1, 2, 3)],
  ['cut off', file(good, [0, 0, 0, 0, 0, 0, 0])],
  ['longer than its shape', file(good, new Array(12).fill(0))],
  ['cut off in its header', file(good, []).subarray(0, 40)],
  ['objects', file("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", [0, 0])],
  ['strings', file("{'descr': '<U4', 'fortran_order': False, 'shape': (1,), }", new Array(16).fill(0))],
  ['records', file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", [0, 0, 0, 0])],
  ['an absurd shape', file("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999, 99999999), }", [])],
  ['a negative shape', file("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", [])],
])('%s is refused', (_, bytes) => {
  expect(() => readNpy(bytes, 'x.npy')).toThrow(PeerError)
})
