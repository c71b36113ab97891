/**
 * softmax-lines: normalised exponentials along a contiguous axis, eight elements at a time.
 *
 * Shapes: x and y [outer, axis]. Params: src/compute/kernels/softmax.ts with inner 1 and log 0. Scratch: the table of pairs.ts and
 *         two vectors.
 * Numerics: the maximum off first; the sum in eight partial sums and that of what remains; a line with NaN or +infinity becomes NaN.
 * Source: ONNX Softmax.
 */
import { expPair, fillTable, TABLE_BYTES } from './pairs'

/** pmax passes NaN over; the sum brings it back. */
function largest(x: usize, axis: u32): f32 {
  let p = f32x4.splat(-Infinity), q = p
  let c: u32 = 0
  for (; c + 8 <= axis; c += 8) {
    p = f32x4.pmax(p, v128.load(x + (c << 2)))
    q = f32x4.pmax(q, v128.load(x + (c << 2), 16))
  }
  for (; c < axis; c++) p = f32x4.pmax(p, v128.load32_splat(x + (c << 2)))
  p = f32x4.pmax(p, q)
  const a = f32x4.extract_lane(p, 0), b = f32x4.extract_lane(p, 1), d = f32x4.extract_lane(p, 2), e = f32x4.extract_lane(p, 3)
  const left = a > b ? a : b, right = d > e ? d : e
  return left > right ? left : right
}

function sum(x: usize, axis: u32): f32 {
  let p = f32x4.splat(0), q = p
  let c: u32 = 0
  for (; c + 8 <= axis; c += 8) {
    p = f32x4.add(p, v128.load(x + (c << 2)))
    q = f32x4.add(q, v128.load(x + (c << 2), 16))
  }
  let rest: f32 = 0
  for (; c < axis; c++) rest += load<f32>(x + (c << 2))
  p = f32x4.add(p, q)
  return f32x4.extract_lane(p, 0) + f32x4.extract_lane(p, 1) + (f32x4.extract_lane(p, 2) + f32x4.extract_lane(p, 3)) + rest
}

export function softmaxLines(x: usize, y: usize, scratch: usize, outer: u32, axis: u32, inner: u32, log: u32): void {
  const table = scratch, rest = scratch + TABLE_BYTES
  fillTable(table)
  const left = (axis & 7) << 2, bytes = (axis & ~7) << 2
  for (let o: u32 = 0; o < outer; o++) {
    const top = f32x4.splat(largest(x, axis))
    for (let c: u32 = 0; c < bytes; c += 32) {
      const p = expPair(f32x4.sub(v128.load(x + c), top), table), q = expPair(f32x4.sub(v128.load(x + c, 16), top), table)
      v128.store(y + c, p)
      v128.store(y + c, q, 16)
    }
    if (left) {
      const from = x + bytes
      const p = expPair(f32x4.sub(v128.load(from), top), table), q = expPair(f32x4.sub(v128.load(from, 16), top), table)
      v128.store(rest, p)
      v128.store(rest, q, 16)
      memory.copy(y + bytes, rest, left)
    }
    const total = sum(y, axis)
    const factor = f32x4.splat(1 / total)
    for (let c: u32 = 0; c < bytes; c += 32) {
      const p = f32x4.mul(v128.load(y + c), factor), q = f32x4.mul(v128.load(y + c, 16), factor)
      v128.store(y + c, p)
      v128.store(y + c, q, 16)
    }
    for (let c = bytes; c < bytes + left; c += 4) store<f32>(y + c, load<f32>(y + c) * (1 / total))
    x += axis << 2
    y += axis << 2
  }
}
