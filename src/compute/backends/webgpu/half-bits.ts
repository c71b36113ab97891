/** Float32 to the nearest float16, ties to even, fast enough for a network's weights. Source: IEEE 754-2019, binary16. */

/** A value's bits as float32 -> the bits of the nearest float16; beyond 65,504 infinity, NaN stays one. */
export function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const size = bits & 0x7fffffff
  if (size > 0x7f800000) return sign | 0x7e00
  // From 65,520 on, half way to where the next number would be.
  if (size >= 0x477ff000) return sign | 0x7c00
  if (size >= 0x38800000) return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13)
  // Below 2^-14 in steps of 2^-24; up to half a step, nothing.
  if (size < 0x33000000) return sign
  const shift = 126 - (size >>> 23)
  const digits = (size & 0x7fffff) | 0x800000
  const low = digits >>> shift
  const rest = digits & ((1 << shift) - 1)
  const half = 1 << (shift - 1)
  return sign | (low + (rest > half || (rest === half && (low & 1) === 1) ? 1 : 0))
}

/** The float16 nearest to each of `data`, as bits. */
export function toHalves(data: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length)
  const halves = new Uint16Array(bits.length)
  for (let i = 0; i < bits.length; i++) halves[i] = halfBits(bits[i])
  return halves
}
