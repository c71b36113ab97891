/**
 * softmax: normalised exponentials along one axis, or their logarithm.
 *
 * Shapes: x and y [outer, axis, inner]. Params: src/compute/kernels/softmax.ts. No scratch.
 * Numerics: the maximum off first, float32 sums in an order that depends on axis and inner alone; a line with NaN or
 *           +infinity becomes NaN.
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

/** The axis is contiguous: four of its elements at a time, in four partial results and that of what remains. */
function line(x: usize, y: usize, axis: u32, log: u32): void {
  const whole = axis & ~3
  // pmax passes NaN over, at a seventh of max's cost; the sum brings it back.
  let tops = f32x4.splat(-Infinity)
  for (let c: u32 = 0; c < whole; c += 4) tops = f32x4.pmax(tops, v128.load(x + (c << 2)))
  for (let c = whole; c < axis; c++) tops = f32x4.pmax(tops, v128.load32_splat(x + (c << 2)))
  tops = f32x4.pmax(tops, v128.shuffle<f32>(tops, tops, 2, 3, 0, 1))
  const top = f32x4.pmax(tops, v128.shuffle<f32>(tops, tops, 1, 0, 3, 2))
  let sums = f32x4.splat(0)
  for (let c: u32 = 0; c < whole; c += 4) {
    const e = exp4(f32x4.sub(v128.load(x + (c << 2)), top))
    if (!log) v128.store(y + (c << 2), e)
    sums = f32x4.add(sums, e)
  }
  const pairs = f32x4.add(sums, v128.shuffle<f32>(sums, sums, 2, 3, 0, 1))
  let total = f32x4.add(pairs, v128.shuffle<f32>(pairs, pairs, 1, 0, 3, 2))
  for (let c = whole; c < axis; c++) {
    const e = exp4(f32x4.sub(v128.load32_splat(x + (c << 2)), top))
    if (!log) storeLanes(y + (c << 2), e, 1)
    total = f32x4.add(total, e)
  }
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
    for (let c: u32 = 0; c < axis; c++) top = f32x4.pmax(top, v128.load(from + c * step))
    let total = f32x4.splat(0)
    for (let c: u32 = 0; c < axis; c++) total = f32x4.add(total, exp4(f32x4.sub(v128.load(from + c * step), top)))
    for (let c: u32 = 0; c < axis; c++) {
      const value = v128.load(from + c * step)
      const result = log ? logarithm(value, top, total) : f32x4.div(exp4(f32x4.sub(value, top)), total)
      storeLanes(to + c * step, result, inner - i)
    }
  }
}
