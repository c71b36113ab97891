/**
 * tile16: register tiles of 16 columns under every matrix product and convolution.
 *
 * y[r, j] = clip(residual[r, j] + bias[j] + sum over t, l of row[t][r][l] * b[t * length + l][j], low, high)
 * Shapes: `rows` is a table of addresses [taps][6] (entry r of tap t: where the `length` values of row r start), b a panel
 *         [taps * length][16], bias [16] (never absent: zeros). residual (0: none) and y: rows `stride` bytes apart.
 *         `tiles` tiles of R rows one after another, more than one only where all rows are real; the table goes on with the next
 *         tile's [taps][6]. `count` rows, 1 to R, are real; the others repeat the last one and write the same values again.
 * Numerics: one sum a lane that starts at bias, in the order t, l, fused where the machine fuses; then + residual, then the
 *         bounds. The sequence for one lane is the same in every tile, so a row's bits do not depend on the tile it fell into.
 * Source: register tiles after Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008; rows by
 *         address after Dukhan, "The Indirect Convolution Algorithm", 2019.
 *
 * Written out by rule (row r: load, splat, 4 multiply-adds) because V8 pairs vectors into 256 bits only where neighbours share a base
 * and have constant offsets, and nothing stands between the stores of a row. 6 x 16 is then 12 accumulators, 2 of b and 1 of a in 16
 * registers; where V8 does not pair, these tiles spill, and panels.ts takes two of 8 columns instead.
 */
import { bound, madd } from './simd'

export function tile6x16(
  rows: usize, taps: u32, length: u32, b: usize, bias: usize, residual: usize, y: usize, stride: u32, count: u32, tiles: u32,
  clipMin: f32, clipMax: f32,
): void {
  const bytes = <usize>length << 2
  const low = f32x4.splat(clipMin), high = f32x4.splat(clipMax)
  const c0 = v128.load(bias, 0)
  const c1 = v128.load(bias, 16)
  const c2 = v128.load(bias, 32)
  const c3 = v128.load(bias, 48)
  const last = count - 1
  const panel = b
  while (tiles > 0) {
    tiles--
    b = panel
    let s00 = c0, s01 = c1, s02 = c2, s03 = c3
    let s10 = c0, s11 = c1, s12 = c2, s13 = c3
    let s20 = c0, s21 = c1, s22 = c2, s23 = c3
    let s30 = c0, s31 = c1, s32 = c2, s33 = c3
    let s40 = c0, s41 = c1, s42 = c2, s43 = c3
    let s50 = c0, s51 = c1, s52 = c2, s53 = c3
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
        const b2 = v128.load(b, 32)
        const b3 = v128.load(b, 48)
        const x0 = v128.load32_splat(a0)
        s00 = madd(x0, b0, s00)
        s01 = madd(x0, b1, s01)
        s02 = madd(x0, b2, s02)
        s03 = madd(x0, b3, s03)
        const x1 = v128.load32_splat(a1)
        s10 = madd(x1, b0, s10)
        s11 = madd(x1, b1, s11)
        s12 = madd(x1, b2, s12)
        s13 = madd(x1, b3, s13)
        const x2 = v128.load32_splat(a2)
        s20 = madd(x2, b0, s20)
        s21 = madd(x2, b1, s21)
        s22 = madd(x2, b2, s22)
        s23 = madd(x2, b3, s23)
        const x3 = v128.load32_splat(a3)
        s30 = madd(x3, b0, s30)
        s31 = madd(x3, b1, s31)
        s32 = madd(x3, b2, s32)
        s33 = madd(x3, b3, s33)
        const x4 = v128.load32_splat(a4)
        s40 = madd(x4, b0, s40)
        s41 = madd(x4, b1, s41)
        s42 = madd(x4, b2, s42)
        s43 = madd(x4, b3, s43)
        const x5 = v128.load32_splat(a5)
        s50 = madd(x5, b0, s50)
        s51 = madd(x5, b1, s51)
        s52 = madd(x5, b2, s52)
        s53 = madd(x5, b3, s53)
        a0 += 4
        a1 += 4
        a2 += 4
        a3 += 4
        a4 += 4
        a5 += 4
        b += 64
      }
      rows += 24
    }
    if (residual) {
      const q0 = residual
      s00 = f32x4.add(s00, v128.load(q0, 0))
      s01 = f32x4.add(s01, v128.load(q0, 16))
      s02 = f32x4.add(s02, v128.load(q0, 32))
      s03 = f32x4.add(s03, v128.load(q0, 48))
      const q1 = residual + min<u32>(1, last) * stride
      s10 = f32x4.add(s10, v128.load(q1, 0))
      s11 = f32x4.add(s11, v128.load(q1, 16))
      s12 = f32x4.add(s12, v128.load(q1, 32))
      s13 = f32x4.add(s13, v128.load(q1, 48))
      const q2 = residual + min<u32>(2, last) * stride
      s20 = f32x4.add(s20, v128.load(q2, 0))
      s21 = f32x4.add(s21, v128.load(q2, 16))
      s22 = f32x4.add(s22, v128.load(q2, 32))
      s23 = f32x4.add(s23, v128.load(q2, 48))
      const q3 = residual + min<u32>(3, last) * stride
      s30 = f32x4.add(s30, v128.load(q3, 0))
      s31 = f32x4.add(s31, v128.load(q3, 16))
      s32 = f32x4.add(s32, v128.load(q3, 32))
      s33 = f32x4.add(s33, v128.load(q3, 48))
      const q4 = residual + min<u32>(4, last) * stride
      s40 = f32x4.add(s40, v128.load(q4, 0))
      s41 = f32x4.add(s41, v128.load(q4, 16))
      s42 = f32x4.add(s42, v128.load(q4, 32))
      s43 = f32x4.add(s43, v128.load(q4, 48))
      const q5 = residual + min<u32>(5, last) * stride
      s50 = f32x4.add(s50, v128.load(q5, 0))
      s51 = f32x4.add(s51, v128.load(q5, 16))
      s52 = f32x4.add(s52, v128.load(q5, 32))
      s53 = f32x4.add(s53, v128.load(q5, 48))
      residual += 6 * stride
    }
    v128.store(y, bound(s00, low, high), 0)
    v128.store(y, bound(s01, low, high), 16)
    v128.store(y, bound(s02, low, high), 32)
    v128.store(y, bound(s03, low, high), 48)
    const y1 = y + min<u32>(1, last) * stride
    v128.store(y1, bound(s10, low, high), 0)
    v128.store(y1, bound(s11, low, high), 16)
    v128.store(y1, bound(s12, low, high), 32)
    v128.store(y1, bound(s13, low, high), 48)
    const y2 = y + min<u32>(2, last) * stride
    v128.store(y2, bound(s20, low, high), 0)
    v128.store(y2, bound(s21, low, high), 16)
    v128.store(y2, bound(s22, low, high), 32)
    v128.store(y2, bound(s23, low, high), 48)
    const y3 = y + min<u32>(3, last) * stride
    v128.store(y3, bound(s30, low, high), 0)
    v128.store(y3, bound(s31, low, high), 16)
    v128.store(y3, bound(s32, low, high), 32)
    v128.store(y3, bound(s33, low, high), 48)
    const y4 = y + min<u32>(4, last) * stride
    v128.store(y4, bound(s40, low, high), 0)
    v128.store(y4, bound(s41, low, high), 16)
    v128.store(y4, bound(s42, low, high), 32)
    v128.store(y4, bound(s43, low, high), 48)
    const y5 = y + min<u32>(5, last) * stride
    v128.store(y5, bound(s50, low, high), 0)
    v128.store(y5, bound(s51, low, high), 16)
    v128.store(y5, bound(s52, low, high), 32)
    v128.store(y5, bound(s53, low, high), 48)
    y += 6 * stride
  }
}

export function tile4x16(
  rows: usize, taps: u32, length: u32, b: usize, bias: usize, residual: usize, y: usize, stride: u32, count: u32, tiles: u32,
  clipMin: f32, clipMax: f32,
): void {
  const bytes = <usize>length << 2
  const low = f32x4.splat(clipMin), high = f32x4.splat(clipMax)
  const c0 = v128.load(bias, 0)
  const c1 = v128.load(bias, 16)
  const c2 = v128.load(bias, 32)
  const c3 = v128.load(bias, 48)
  const last = count - 1
  const panel = b
  while (tiles > 0) {
    tiles--
    b = panel
    let s00 = c0, s01 = c1, s02 = c2, s03 = c3
    let s10 = c0, s11 = c1, s12 = c2, s13 = c3
    let s20 = c0, s21 = c1, s22 = c2, s23 = c3
    let s30 = c0, s31 = c1, s32 = c2, s33 = c3
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
        const b2 = v128.load(b, 32)
        const b3 = v128.load(b, 48)
        const x0 = v128.load32_splat(a0)
        s00 = madd(x0, b0, s00)
        s01 = madd(x0, b1, s01)
        s02 = madd(x0, b2, s02)
        s03 = madd(x0, b3, s03)
        const x1 = v128.load32_splat(a1)
        s10 = madd(x1, b0, s10)
        s11 = madd(x1, b1, s11)
        s12 = madd(x1, b2, s12)
        s13 = madd(x1, b3, s13)
        const x2 = v128.load32_splat(a2)
        s20 = madd(x2, b0, s20)
        s21 = madd(x2, b1, s21)
        s22 = madd(x2, b2, s22)
        s23 = madd(x2, b3, s23)
        const x3 = v128.load32_splat(a3)
        s30 = madd(x3, b0, s30)
        s31 = madd(x3, b1, s31)
        s32 = madd(x3, b2, s32)
        s33 = madd(x3, b3, s33)
        a0 += 4
        a1 += 4
        a2 += 4
        a3 += 4
        b += 64
      }
      rows += 24
    }
    if (residual) {
      const q0 = residual
      s00 = f32x4.add(s00, v128.load(q0, 0))
      s01 = f32x4.add(s01, v128.load(q0, 16))
      s02 = f32x4.add(s02, v128.load(q0, 32))
      s03 = f32x4.add(s03, v128.load(q0, 48))
      const q1 = residual + min<u32>(1, last) * stride
      s10 = f32x4.add(s10, v128.load(q1, 0))
      s11 = f32x4.add(s11, v128.load(q1, 16))
      s12 = f32x4.add(s12, v128.load(q1, 32))
      s13 = f32x4.add(s13, v128.load(q1, 48))
      const q2 = residual + min<u32>(2, last) * stride
      s20 = f32x4.add(s20, v128.load(q2, 0))
      s21 = f32x4.add(s21, v128.load(q2, 16))
      s22 = f32x4.add(s22, v128.load(q2, 32))
      s23 = f32x4.add(s23, v128.load(q2, 48))
      const q3 = residual + min<u32>(3, last) * stride
      s30 = f32x4.add(s30, v128.load(q3, 0))
      s31 = f32x4.add(s31, v128.load(q3, 16))
      s32 = f32x4.add(s32, v128.load(q3, 32))
      s33 = f32x4.add(s33, v128.load(q3, 48))
      residual += 4 * stride
    }
    v128.store(y, bound(s00, low, high), 0)
    v128.store(y, bound(s01, low, high), 16)
    v128.store(y, bound(s02, low, high), 32)
    v128.store(y, bound(s03, low, high), 48)
    const y1 = y + min<u32>(1, last) * stride
    v128.store(y1, bound(s10, low, high), 0)
    v128.store(y1, bound(s11, low, high), 16)
    v128.store(y1, bound(s12, low, high), 32)
    v128.store(y1, bound(s13, low, high), 48)
    const y2 = y + min<u32>(2, last) * stride
    v128.store(y2, bound(s20, low, high), 0)
    v128.store(y2, bound(s21, low, high), 16)
    v128.store(y2, bound(s22, low, high), 32)
    v128.store(y2, bound(s23, low, high), 48)
    const y3 = y + min<u32>(3, last) * stride
    v128.store(y3, bound(s30, low, high), 0)
    v128.store(y3, bound(s31, low, high), 16)
    v128.store(y3, bound(s32, low, high), 32)
    v128.store(y3, bound(s33, low, high), 48)
    y += 4 * stride
  }
}

export function tile1x16(
  rows: usize, taps: u32, length: u32, b: usize, bias: usize, residual: usize, y: usize, stride: u32, count: u32, tiles: u32,
  clipMin: f32, clipMax: f32,
): void {
  const bytes = <usize>length << 2
  const low = f32x4.splat(clipMin), high = f32x4.splat(clipMax)
  const c0 = v128.load(bias, 0)
  const c1 = v128.load(bias, 16)
  const c2 = v128.load(bias, 32)
  const c3 = v128.load(bias, 48)
  const panel = b
  while (tiles > 0) {
    tiles--
    b = panel
    let s00 = c0, s01 = c1, s02 = c2, s03 = c3
    const end = rows + taps * 24
    while (rows < end) {
      let a0 = <usize>load<u32>(rows)
      const stop = a0 + bytes
      while (a0 < stop) {
        const b0 = v128.load(b, 0)
        const b1 = v128.load(b, 16)
        const b2 = v128.load(b, 32)
        const b3 = v128.load(b, 48)
        const x0 = v128.load32_splat(a0)
        s00 = madd(x0, b0, s00)
        s01 = madd(x0, b1, s01)
        s02 = madd(x0, b2, s02)
        s03 = madd(x0, b3, s03)
        a0 += 4
        b += 64
      }
      rows += 24
    }
    if (residual) {
      const q0 = residual
      s00 = f32x4.add(s00, v128.load(q0, 0))
      s01 = f32x4.add(s01, v128.load(q0, 16))
      s02 = f32x4.add(s02, v128.load(q0, 32))
      s03 = f32x4.add(s03, v128.load(q0, 48))
      residual += 1 * stride
    }
    v128.store(y, bound(s00, low, high), 0)
    v128.store(y, bound(s01, low, high), 16)
    v128.store(y, bound(s02, low, high), 32)
    v128.store(y, bound(s03, low, high), 48)
    y += 1 * stride
  }
}
