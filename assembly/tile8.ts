/**
 * tile8: register tiles of 8 columns under every matrix product and convolution.
 *
 * y[r, j] = clip(residual[r, j] + bias[j] + sum over t, l of row[t][r][l] * b[t * length + l][j], low, high)
 * Shapes: `rows` is a table of addresses [taps][6] (entry r of tap t: where the `length` values of row r start), b a panel
 *         [taps * length][8] whose rows are `step` bytes apart (a half of a panel of 16 is read in place), bias [8] (never absent: zeros). residual (0: none) and y: rows `stride` bytes apart.
 *         `tiles` tiles of R rows one after another, more than one only where all rows are real; the table goes on with the next
 *         tile's [taps][6]. `count` rows, 1 to R, are real; the others repeat the last one and write the same values again.
 * Numerics: one sum a lane that starts at bias, in the order t, l, fused where the machine fuses; then + residual, then the
 *         bounds. The sequence for one lane is the same in every tile, so a row's bits do not depend on the tile it fell into.
 * Source: register tiles after Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008; rows by
 *         address after Dukhan, "The Indirect Convolution Algorithm", 2019.
 *
 * Written out by rule (row r: load, splat, 2 multiply-adds) because V8 pairs vectors into 256 bits only where neighbours share a base
 * and have constant offsets, and nothing stands between the stores of a row. 12 accumulators of 128 bits fill the registers of a
 * machine where V8 does not pair.
 */
import { bound, madd } from './simd'

export function tile6x8(
  rows: usize, taps: u32, length: u32, b: usize, step: usize, bias: usize, residual: usize, y: usize, stride: u32, count: u32, tiles: u32,
  clipMin: f32, clipMax: f32,
): void {
  const bytes = <usize>length << 2
  const low = f32x4.splat(clipMin), high = f32x4.splat(clipMax)
  const c0 = v128.load(bias, 0)
  const c1 = v128.load(bias, 16)
  const last = count - 1
  const panel = b
  while (tiles > 0) {
    tiles--
    b = panel
    let s00 = c0, s01 = c1
    let s10 = c0, s11 = c1
    let s20 = c0, s21 = c1
    let s30 = c0, s31 = c1
    let s40 = c0, s41 = c1
    let s50 = c0, s51 = c1
    const end = rows + taps * 24
    while (rows < end) {
      let a0 = <usize>load<u32>(rows)
      let a1 = <usize>load<u32>(rows, 4)
      let a2 = <usize>load<u32>(rows, 8)
      let a3 = <usize>load<u32>(rows, 12)
      let a4 = <usize>load<u32>(rows, 16)
      let a5 = <usize>load<u32>(rows, 20)
      const stop = a0 + bytes
      while (a0 < stop) {
        const b0 = v128.load(b, 0)
        const b1 = v128.load(b, 16)
        const x0 = v128.load32_splat(a0)
        s00 = madd(x0, b0, s00)
        s01 = madd(x0, b1, s01)
        const x1 = v128.load32_splat(a1)
        s10 = madd(x1, b0, s10)
        s11 = madd(x1, b1, s11)
        const x2 = v128.load32_splat(a2)
        s20 = madd(x2, b0, s20)
        s21 = madd(x2, b1, s21)
        const x3 = v128.load32_splat(a3)
        s30 = madd(x3, b0, s30)
        s31 = madd(x3, b1, s31)
        const x4 = v128.load32_splat(a4)
        s40 = madd(x4, b0, s40)
        s41 = madd(x4, b1, s41)
        const x5 = v128.load32_splat(a5)
        s50 = madd(x5, b0, s50)
        s51 = madd(x5, b1, s51)
        a0 += 4
        a1 += 4
        a2 += 4
        a3 += 4
        a4 += 4
        a5 += 4
        b += step
      }
      rows += 24
    }
    if (residual) {
      const q0 = residual
      s00 = f32x4.add(s00, v128.load(q0, 0))
      s01 = f32x4.add(s01, v128.load(q0, 16))
      const q1 = residual + min<u32>(1, last) * stride
      s10 = f32x4.add(s10, v128.load(q1, 0))
      s11 = f32x4.add(s11, v128.load(q1, 16))
      const q2 = residual + min<u32>(2, last) * stride
      s20 = f32x4.add(s20, v128.load(q2, 0))
      s21 = f32x4.add(s21, v128.load(q2, 16))
      const q3 = residual + min<u32>(3, last) * stride
      s30 = f32x4.add(s30, v128.load(q3, 0))
      s31 = f32x4.add(s31, v128.load(q3, 16))
      const q4 = residual + min<u32>(4, last) * stride
      s40 = f32x4.add(s40, v128.load(q4, 0))
      s41 = f32x4.add(s41, v128.load(q4, 16))
      const q5 = residual + min<u32>(5, last) * stride
      s50 = f32x4.add(s50, v128.load(q5, 0))
      s51 = f32x4.add(s51, v128.load(q5, 16))
      residual += 6 * stride
    }
    v128.store(y, bound(s00, low, high), 0)
    v128.store(y, bound(s01, low, high), 16)
    const y1 = y + min<u32>(1, last) * stride
    v128.store(y1, bound(s10, low, high), 0)
    v128.store(y1, bound(s11, low, high), 16)
    const y2 = y + min<u32>(2, last) * stride
    v128.store(y2, bound(s20, low, high), 0)
    v128.store(y2, bound(s21, low, high), 16)
    const y3 = y + min<u32>(3, last) * stride
    v128.store(y3, bound(s30, low, high), 0)
    v128.store(y3, bound(s31, low, high), 16)
    const y4 = y + min<u32>(4, last) * stride
    v128.store(y4, bound(s40, low, high), 0)
    v128.store(y4, bound(s41, low, high), 16)
    const y5 = y + min<u32>(5, last) * stride
    v128.store(y5, bound(s50, low, high), 0)
    v128.store(y5, bound(s51, low, high), 16)
    y += 6 * stride
  }
}

export function tile4x8(
  rows: usize, taps: u32, length: u32, b: usize, step: usize, bias: usize, residual: usize, y: usize, stride: u32, count: u32, tiles: u32,
  clipMin: f32, clipMax: f32,
): void {
  const bytes = <usize>length << 2
  const low = f32x4.splat(clipMin), high = f32x4.splat(clipMax)
  const c0 = v128.load(bias, 0)
  const c1 = v128.load(bias, 16)
  const last = count - 1
  const panel = b
  while (tiles > 0) {
    tiles--
    b = panel
    let s00 = c0, s01 = c1
    let s10 = c0, s11 = c1
    let s20 = c0, s21 = c1
    let s30 = c0, s31 = c1
    const end = rows + taps * 24
    while (rows < end) {
      let a0 = <usize>load<u32>(rows)
      let a1 = <usize>load<u32>(rows, 4)
      let a2 = <usize>load<u32>(rows, 8)
      let a3 = <usize>load<u32>(rows, 12)
      const stop = a0 + bytes
      while (a0 < stop) {
        const b0 = v128.load(b, 0)
        const b1 = v128.load(b, 16)
        const x0 = v128.load32_splat(a0)
        s00 = madd(x0, b0, s00)
        s01 = madd(x0, b1, s01)
        const x1 = v128.load32_splat(a1)
        s10 = madd(x1, b0, s10)
        s11 = madd(x1, b1, s11)
        const x2 = v128.load32_splat(a2)
        s20 = madd(x2, b0, s20)
        s21 = madd(x2, b1, s21)
        const x3 = v128.load32_splat(a3)
        s30 = madd(x3, b0, s30)
        s31 = madd(x3, b1, s31)
        a0 += 4
        a1 += 4
        a2 += 4
        a3 += 4
        b += step
      }
      rows += 24
    }
    if (residual) {
      const q0 = residual
      s00 = f32x4.add(s00, v128.load(q0, 0))
      s01 = f32x4.add(s01, v128.load(q0, 16))
      const q1 = residual + min<u32>(1, last) * stride
      s10 = f32x4.add(s10, v128.load(q1, 0))
      s11 = f32x4.add(s11, v128.load(q1, 16))
      const q2 = residual + min<u32>(2, last) * stride
      s20 = f32x4.add(s20, v128.load(q2, 0))
      s21 = f32x4.add(s21, v128.load(q2, 16))
      const q3 = residual + min<u32>(3, last) * stride
      s30 = f32x4.add(s30, v128.load(q3, 0))
      s31 = f32x4.add(s31, v128.load(q3, 16))
      residual += 4 * stride
    }
    v128.store(y, bound(s00, low, high), 0)
    v128.store(y, bound(s01, low, high), 16)
    const y1 = y + min<u32>(1, last) * stride
    v128.store(y1, bound(s10, low, high), 0)
    v128.store(y1, bound(s11, low, high), 16)
    const y2 = y + min<u32>(2, last) * stride
    v128.store(y2, bound(s20, low, high), 0)
    v128.store(y2, bound(s21, low, high), 16)
    const y3 = y + min<u32>(3, last) * stride
    v128.store(y3, bound(s30, low, high), 0)
    v128.store(y3, bound(s31, low, high), 16)
    y += 4 * stride
  }
}

export function tile1x8(
  rows: usize, taps: u32, length: u32, b: usize, step: usize, bias: usize, residual: usize, y: usize, stride: u32, count: u32, tiles: u32,
  clipMin: f32, clipMax: f32,
): void {
  const bytes = <usize>length << 2
  const low = f32x4.splat(clipMin), high = f32x4.splat(clipMax)
  const c0 = v128.load(bias, 0)
  const c1 = v128.load(bias, 16)
  const panel = b
  while (tiles > 0) {
    tiles--
    b = panel
    let s00 = c0, s01 = c1
    const end = rows + taps * 24
    while (rows < end) {
      let a0 = <usize>load<u32>(rows)
      const stop = a0 + bytes
      while (a0 < stop) {
        const b0 = v128.load(b, 0)
        const b1 = v128.load(b, 16)
        const x0 = v128.load32_splat(a0)
        s00 = madd(x0, b0, s00)
        s01 = madd(x0, b1, s01)
        a0 += 4
        b += step
      }
      rows += 24
    }
    if (residual) {
      const q0 = residual
      s00 = f32x4.add(s00, v128.load(q0, 0))
      s01 = f32x4.add(s01, v128.load(q0, 16))
      residual += 1 * stride
    }
    v128.store(y, bound(s00, low, high), 0)
    v128.store(y, bound(s01, low, high), 16)
    y += 1 * stride
  }
}
