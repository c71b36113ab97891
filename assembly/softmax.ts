/**
 * softmax: normalised exponentials along one axis, or their logarithm.
 *
 * Shapes: x and y [outer, axis, inner]. Params: src/compute/kernels/softmax.ts. No scratch.
 * Numerics: the maximum off first, float32 sums in the order of the axis; a line with NaN or +infinity becomes NaN.
 * Source: ONNX Softmax, LogSoftmax.
 */
import { exp4, log4, storeLanes } from './simd'

export function softmax(x: usize, y: usize, scratch: usize, outer: u32, axis: u32, inner: u32, log: u32): void {
  for (let o: u32 = 0; o < outer; o++) {
    if (inner == 1) line(x, y, axis, log)
    else lines(x, y, axis, inner, log)
    x += (axis * inner) << 2
    y += (axis * inner) << 2
  }
}

/** The axis is contiguous: four of its elements at a time, summed one after the other. */
function line(x: usize, y: usize, axis: u32, log: u32): void {
  let most: f32 = -Infinity
  for (let c: u32 = 0; c < axis; c++) most = max<f32>(most, load<f32>(x + (c << 2)))
  const top = f32x4.splat(most)
  let sum: f32 = 0
  for (let c: u32 = 0; c < axis; c += 4) {
    const e = exp4(f32x4.sub(v128.load(x + (c << 2)), top))
    if (!log) storeLanes(y + (c << 2), e, axis - c)
    sum += f32x4.extract_lane(e, 0)
    if (axis - c > 1) sum += f32x4.extract_lane(e, 1)
    if (axis - c > 2) sum += f32x4.extract_lane(e, 2)
    if (axis - c > 3) sum += f32x4.extract_lane(e, 3)
  }
  const total = f32x4.splat(sum)
  for (let c: u32 = 0; c < axis; c += 4) {
    const at = c << 2
    const value = log ? logarithm(v128.load(x + at), top, total) : f32x4.div(v128.load(y + at), total)
    storeLanes(y + at, value, axis - c)
  }
}

// @ts-ignore: decorator
@inline
function logarithm(x: v128, top: v128, total: v128): v128 {
  return f32x4.sub(f32x4.sub(x, top), log4(total))
}

/** Four neighbouring lines at a time. */
function lines(x: usize, y: usize, axis: u32, inner: u32, log: u32): void {
  const step = inner << 2
  for (let i: u32 = 0; i < inner; i += 4) {
    const from = x + (i << 2), to = y + (i << 2)
    let top = f32x4.splat(-Infinity)
    for (let c: u32 = 0; c < axis; c++) top = f32x4.max(top, v128.load(from + c * step))
    let total = f32x4.splat(0)
    for (let c: u32 = 0; c < axis; c++) total = f32x4.add(total, exp4(f32x4.sub(v128.load(from + c * step), top)))
    for (let c: u32 = 0; c < axis; c++) {
      const value = v128.load(from + c * step)
      const result = log ? logarithm(value, top, total) : f32x4.div(exp4(f32x4.sub(value, top)), total)
      storeLanes(to + c * step, result, inner - i)
    }
  }
}
