/**
 * The done bitmap in fewer bytes where that is possible: as runs of equal bits, whose lengths are LEB128 numbers, the
 * first run being of zeros. A job that is computed in order has few runs; a scattered one travels as it is.
 */
import { invalid } from './fields.ts'

export interface PackedBits {
  /** Bytes of the bitmap before packing. */
  size: number
  runs: boolean
  bytes: Uint8Array
}

const bitAt = (bits: Uint8Array, index: number) => (bits[index >> 3] >> (index & 7)) & 1

export function packBits(bits: Uint8Array): PackedBits {
  const out: number[] = []
  const total = bits.length * 8
  let value = 0
  for (let at = 0; at < total && out.length < bits.length; ) {
    let end = at
    while (end < total && bitAt(bits, end) === value) {
      // Whole bytes of the same bit at once.
      if ((end & 7) === 0 && bits[end >> 3] === (value ? 255 : 0)) end += 8
      else end++
    }
    let length = end - at
    for (; length > 127; length >>>= 7) out.push((length & 127) | 128)
    out.push(length)
    at = end
    value ^= 1
  }
  if (out.length < bits.length) return { size: bits.length, runs: true, bytes: Uint8Array.from(out) }
  return { size: bits.length, runs: false, bytes: bits }
}

/** Throws PeerError when the runs do not fill exactly `size` bytes. */
export function unpackBits({ size, runs, bytes }: PackedBits): Uint8Array {
  if (!runs) {
    if (bytes.length !== size) throw invalid('done has its stated size')
    return bytes
  }
  const bits = new Uint8Array(size)
  let at = 0
  let value = 0
  for (let i = 0; i < bytes.length; value ^= 1) {
    let length = 0
    let shift = 0
    for (let more = true; more; shift += 7) {
      if (i >= bytes.length || shift > 21) throw invalid('done has runs of lawful length')
      length |= (bytes[i] & 127) << shift
      more = bytes[i++] > 127
    }
    if (at + length > size * 8) throw invalid('done has runs that fit')
    if (value) setRun(bits, at, at + length)
    at += length
  }
  if (at !== size * 8) throw invalid('done has runs that fill it')
  return bits
}

function setRun(bits: Uint8Array, from: number, to: number): void {
  let at = from
  for (; at < to && (at & 7) !== 0; at++) bits[at >> 3] |= 1 << (at & 7)
  const whole = to & ~7
  if (at < whole) {
    bits.fill(255, at >> 3, whole >> 3)
    at = whole
  }
  for (; at < to; at++) bits[at >> 3] |= 1 << (at & 7)
}
