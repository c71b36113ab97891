/**
 * resample-axis: one axis of a tensor at another length, every element a weighted sum of a few.
 *
 * Shapes: x [outer, size, inner], indices and weights [outSize, taps], y [outer, outSize, inner].
 * Params: src/compute/kernels/resample-axis.ts. Scratch: offsets and weights [taps][outSize], each a little longer, where
 *         inner is 1.
 * Numerics: one sum in the order of the taps, fused where the machine fuses; a tap of weight 0 is skipped.
 * Source: ONNX Resize, Upsample.
 */
import { madd, storeLanes } from './simd'

/** Tables [outSize][taps] as [taps][length], offsets in bytes; what lies outside is read at 0 and given weight 0. */
function turnTables(indices: usize, weights: usize, offsets: usize, factors: usize, outSize: u32, taps: u32, length: u32): void {
  for (let n: u32 = 0; n < length; n++) {
    const row = (n * taps) << 2
    const outside = n >= outSize || load<f32>(indices + row) < 0
    for (let t: u32 = 0; t < taps; t++) {
      const at = (t * length + n) << 2
      store<u32>(offsets + at, outside ? 0 : <u32>load<f32>(indices + row + (t << 2)) << 2)
      store<f32>(factors + at, outside ? 0 : load<f32>(weights + row + (t << 2)))
    }
  }
}

/** One contiguous line, four of its elements at a time. */
function line(x: usize, offsets: usize, factors: usize, y: usize, outSize: u32, taps: u32, length: u32): void {
  for (let n: u32 = 0; n < outSize; n += 4) {
    let sum = f32x4.splat(0)
    let at = n << 2
    for (let t: u32 = 0; t < taps; t++) {
      const from = offsets + at
      let value = v128.load32_zero(x + load<u32>(from))
      value = v128.load_lane<f32>(x + load<u32>(from, 4), value, 1)
      value = v128.load_lane<f32>(x + load<u32>(from, 8), value, 2)
      value = v128.load_lane<f32>(x + load<u32>(from, 12), value, 3)
      const factor = v128.load(factors + at)
      // A tap of weight 0 does not count, whatever it is.
      sum = madd(factor, v128.and(value, f32x4.ne(factor, f32x4.splat(0))), sum)
      at += length << 2
    }
    storeLanes(y + (n << 2), sum, outSize - n)
  }
}

function lines(
  x: usize, indices: usize, weights: usize, y: usize, scratch: usize, outer: u32, size: u32, outSize: u32, taps: u32, fill: f32,
): void {
  const length = (outSize + 3) & ~3
  const factors = scratch + ((taps * length) << 2)
  turnTables(indices, weights, scratch, factors, outSize, taps, length)
  for (let o: u32 = 0; o < outer; o++) {
    line(x, scratch, factors, y, outSize, taps, length)
    for (let n: u32 = 0; n < outSize; n++) {
      if (load<f32>(indices + ((n * taps) << 2)) < 0) store<f32>(y + (n << 2), fill)
    }
    x += size << 2
    y += outSize << 2
  }
}

export function resampleAxis(
  x: usize, indices: usize, weights: usize, y: usize, scratch: usize,
  outer: u32, size: u32, inner: u32, outSize: u32, taps: u32, fill: f32,
): void {
  if (inner == 1) {
    lines(x, indices, weights, y, scratch, outer, size, outSize, taps, fill)
    return
  }
  const filled = f32x4.splat(fill)
  for (let o: u32 = 0; o < outer; o++) {
    for (let n: u32 = 0; n < outSize; n++) {
      const first = indices + ((n * taps) << 2), factors = weights + ((n * taps) << 2)
      const outside = load<f32>(first) < 0
      for (let i: u32 = 0; i < inner; i += 4) {
        let sum = f32x4.splat(0)
        for (let t: u32 = 0; t < taps && !outside; t++) {
          if (load<f32>(factors + (t << 2)) == 0) continue
          const from = <u32>load<f32>(first + (t << 2)) * inner + i
          sum = madd(v128.load32_splat(factors + (t << 2)), v128.load(x + (from << 2)), sum)
        }
        storeLanes(y + (i << 2), outside ? filled : sum, inner - i)
      }
      y += inner << 2
    }
    x += (size * inner) << 2
  }
}
