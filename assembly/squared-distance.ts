/**
 * squared-distance: from each row to each center, each difference weighed.
 *
 * Shapes: a [m, k], b [k, n], scale [k, n] (0: all ones), y [m, n]. Params: src/compute/kernels/squared-distance.ts. No scratch.
 * Numerics: centred; one sum a lane in the order of l, fused where the machine fuses. The sequence for one lane is the same in
 *           every tile, so a row's bits do not depend on the tile it fell into.
 * Source: tiles of 4 rows by 8 columns, as many accumulators as leave registers for a center's values.
 */
import { madd, storeLanes } from './simd'

export function squaredDistance(
  a: usize, b: usize, scale: usize, y: usize, scratch: usize, m: u32, n: u32, k: u32, hasScale: u32,
): void {
  for (let j: u32 = 0; j < n; j += 8) {
    const left = n - j
    const columns = b + (j << 2), scales = scale + (j << 2)
    let i: u32 = 0
    for (; i + 4 <= m; i += 4) {
      const from = a + ((i * k) << 2), to = y + ((i * n + j) << 2)
      if (hasScale) scaled4(from, columns, scales, to, n, k, left)
      else plain4(from, columns, to, n, k, left)
    }
    for (; i < m; i++) {
      const from = a + ((i * k) << 2), to = y + ((i * n + j) << 2)
      if (hasScale) scaled1(from, columns, scales, to, n, k, left)
      else plain1(from, columns, to, n, k, left)
    }
  }
}

// @ts-ignore: decorator
@inline
function squared(x: v128, b: v128, s: v128, so: v128): v128 {
  const term = f32x4.mul(f32x4.sub(x, b), s)
  return madd(term, term, so)
}

// @ts-ignore: decorator
@inline
function squaredPlain(x: v128, b: v128, so: v128): v128 {
  const term = f32x4.sub(x, b)
  return madd(term, term, so)
}

// @ts-ignore: decorator
@inline
function storeTwo(to: usize, low: v128, high: v128, left: u32): void {
  if (left >= 8) {
    // Neighbours with nothing between: what V8 pairs into one.
    v128.store(to, low)
    v128.store(to, high, 16)
    return
  }
  storeLanes(to, low, left)
  if (left > 4) storeLanes(to + 16, high, left - 4)
}

function scaled4(a0: usize, b: usize, scale: usize, y: usize, n: u32, k: u32, left: u32): void {
  const pitch = n << 2
  const a1 = a0 + (k << 2), a2 = a1 + (k << 2), a3 = a2 + (k << 2)
  let s00 = f32x4.splat(0), s01 = s00, s10 = s00, s11 = s00, s20 = s00, s21 = s00, s30 = s00, s31 = s00
  const end = k << 2
  for (let at: usize = 0; at < end; at += 4) {
    const b0 = v128.load(b), b1 = v128.load(b, 16)
    const w0 = v128.load(scale), w1 = v128.load(scale, 16)
    const x0 = v128.load32_splat(a0 + at)
    s00 = squared(x0, b0, w0, s00)
    s01 = squared(x0, b1, w1, s01)
    const x1 = v128.load32_splat(a1 + at)
    s10 = squared(x1, b0, w0, s10)
    s11 = squared(x1, b1, w1, s11)
    const x2 = v128.load32_splat(a2 + at)
    s20 = squared(x2, b0, w0, s20)
    s21 = squared(x2, b1, w1, s21)
    const x3 = v128.load32_splat(a3 + at)
    s30 = squared(x3, b0, w0, s30)
    s31 = squared(x3, b1, w1, s31)
    b += pitch
    scale += pitch
  }
  storeTwo(y, s00, s01, left)
  storeTwo(y + pitch, s10, s11, left)
  storeTwo(y + 2 * pitch, s20, s21, left)
  storeTwo(y + 3 * pitch, s30, s31, left)
}

function plain4(a0: usize, b: usize, y: usize, n: u32, k: u32, left: u32): void {
  const pitch = n << 2
  const a1 = a0 + (k << 2), a2 = a1 + (k << 2), a3 = a2 + (k << 2)
  let s00 = f32x4.splat(0), s01 = s00, s10 = s00, s11 = s00, s20 = s00, s21 = s00, s30 = s00, s31 = s00
  const end = k << 2
  for (let at: usize = 0; at < end; at += 4) {
    const b0 = v128.load(b), b1 = v128.load(b, 16)
    const x0 = v128.load32_splat(a0 + at)
    s00 = squaredPlain(x0, b0, s00)
    s01 = squaredPlain(x0, b1, s01)
    const x1 = v128.load32_splat(a1 + at)
    s10 = squaredPlain(x1, b0, s10)
    s11 = squaredPlain(x1, b1, s11)
    const x2 = v128.load32_splat(a2 + at)
    s20 = squaredPlain(x2, b0, s20)
    s21 = squaredPlain(x2, b1, s21)
    const x3 = v128.load32_splat(a3 + at)
    s30 = squaredPlain(x3, b0, s30)
    s31 = squaredPlain(x3, b1, s31)
    b += pitch
  }
  storeTwo(y, s00, s01, left)
  storeTwo(y + pitch, s10, s11, left)
  storeTwo(y + 2 * pitch, s20, s21, left)
  storeTwo(y + 3 * pitch, s30, s31, left)
}

function scaled1(a: usize, b: usize, scale: usize, y: usize, n: u32, k: u32, left: u32): void {
  const pitch = n << 2
  let s0 = f32x4.splat(0), s1 = s0
  const end = a + (k << 2)
  for (; a < end; a += 4) {
    const x = v128.load32_splat(a)
    s0 = squared(x, v128.load(b), v128.load(scale), s0)
    s1 = squared(x, v128.load(b, 16), v128.load(scale, 16), s1)
    b += pitch
    scale += pitch
  }
  storeTwo(y, s0, s1, left)
}

function plain1(a: usize, b: usize, y: usize, n: u32, k: u32, left: u32): void {
  const pitch = n << 2
  let s0 = f32x4.splat(0), s1 = s0
  const end = a + (k << 2)
  for (; a < end; a += 4) {
    const x = v128.load32_splat(a)
    s0 = squaredPlain(x, v128.load(b), s0)
    s1 = squaredPlain(x, v128.load(b, 16), s1)
    b += pitch
  }
  storeTwo(y, s0, s1, left)
}
