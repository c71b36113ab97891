/**
 * conv2d-channels-last-depthwise: convolution with one filter a channel.
 *
 * Shapes: x [batch, height, width, channels], residual and y [batch, outHeight, outWidth, channels], bias [channels]; w packed by
 *         src/compute/backends/wasm/packing.ts: [kernelH][kernelW][channels]. Params: src/compute/kernels/conv2d-channels-last.ts.
 * Scratch: zeros [channels].
 * Numerics: one sum a lane from bias on, in the order ky, kx, fused where the machine fuses; taps outside the image are skipped.
 *         Four pixels at a time or one, sixteen channels or four: the sequence for one value is the same.
 * Source: ONNX Conv with group = channels.
 *
 * `rowKsS`: four pixels of stride S, K taps a line, written out so that each column is loaded once for all pixels that it
 * meets. Vectors come in pairs (p, q), see tile16.ts.
 */
import { highest, lowest } from './panels'
import { bound, madd, storeLanes } from './simd'

/** 4 pixels x 16 channels over `tapsH` x `tapsW` taps that are all inside. Pitches in bytes. */
function tile4x16(
  x: usize, w: usize, bias: usize, y: usize, tapsH: u32, tapsW: u32, rowPitch: u32, tapPitch: u32, pixelPitch: u32, wRow: u32, pixel: u32,
  low: v128, high: v128,
): void {
  const c0 = v128.load(bias, 0)
  const c1 = v128.load(bias, 16)
  const c2 = v128.load(bias, 32)
  const c3 = v128.load(bias, 48)
  let s00 = c0, s01 = c1, s02 = c2, s03 = c3
  let s10 = c0, s11 = c1, s12 = c2, s13 = c3
  let s20 = c0, s21 = c1, s22 = c2, s23 = c3
  let s30 = c0, s31 = c1, s32 = c2, s33 = c3
  for (let ky: u32 = 0; ky < tapsH; ky++) {
    let a0 = x, b = w
    const stop = x + tapsW * tapPitch
    while (a0 < stop) {
      const b0 = v128.load(b, 0)
      const b1 = v128.load(b, 16)
      const b2 = v128.load(b, 32)
      const b3 = v128.load(b, 48)
      s00 = madd(v128.load(a0, 0), b0, s00)
      s01 = madd(v128.load(a0, 16), b1, s01)
      s02 = madd(v128.load(a0, 32), b2, s02)
      s03 = madd(v128.load(a0, 48), b3, s03)
      const a1 = a0 + pixelPitch
      s10 = madd(v128.load(a1, 0), b0, s10)
      s11 = madd(v128.load(a1, 16), b1, s11)
      s12 = madd(v128.load(a1, 32), b2, s12)
      s13 = madd(v128.load(a1, 48), b3, s13)
      const a2 = a1 + pixelPitch
      s20 = madd(v128.load(a2, 0), b0, s20)
      s21 = madd(v128.load(a2, 16), b1, s21)
      s22 = madd(v128.load(a2, 32), b2, s22)
      s23 = madd(v128.load(a2, 48), b3, s23)
      const a3 = a2 + pixelPitch
      s30 = madd(v128.load(a3, 0), b0, s30)
      s31 = madd(v128.load(a3, 16), b1, s31)
      s32 = madd(v128.load(a3, 32), b2, s32)
      s33 = madd(v128.load(a3, 48), b3, s33)
      a0 += tapPitch
      b += pixel
    }
    x += rowPitch
    w += wRow
  }
  v128.store(y, bound(s00, low, high), 0)
  v128.store(y, bound(s01, low, high), 16)
  v128.store(y, bound(s02, low, high), 32)
  v128.store(y, bound(s03, low, high), 48)
  y += pixel
  v128.store(y, bound(s10, low, high), 0)
  v128.store(y, bound(s11, low, high), 16)
  v128.store(y, bound(s12, low, high), 32)
  v128.store(y, bound(s13, low, high), 48)
  y += pixel
  v128.store(y, bound(s20, low, high), 0)
  v128.store(y, bound(s21, low, high), 16)
  v128.store(y, bound(s22, low, high), 32)
  v128.store(y, bound(s23, low, high), 48)
  y += pixel
  v128.store(y, bound(s30, low, high), 0)
  v128.store(y, bound(s31, low, high), 16)
  v128.store(y, bound(s32, low, high), 32)
  v128.store(y, bound(s33, low, high), 48)
}

/** 4 pixels x 8 channels over `tapsH` x `tapsW` taps that are all inside. Pitches in bytes. */
function tile4x8(
  x: usize, w: usize, bias: usize, y: usize, tapsH: u32, tapsW: u32, rowPitch: u32, tapPitch: u32, pixelPitch: u32, wRow: u32, pixel: u32,
  low: v128, high: v128,
): void {
  const c0 = v128.load(bias, 0)
  const c1 = v128.load(bias, 16)
  let s00 = c0, s01 = c1
  let s10 = c0, s11 = c1
  let s20 = c0, s21 = c1
  let s30 = c0, s31 = c1
  for (let ky: u32 = 0; ky < tapsH; ky++) {
    let a0 = x, b = w
    const stop = x + tapsW * tapPitch
    while (a0 < stop) {
      const b0 = v128.load(b, 0)
      const b1 = v128.load(b, 16)
      s00 = madd(v128.load(a0, 0), b0, s00)
      s01 = madd(v128.load(a0, 16), b1, s01)
      const a1 = a0 + pixelPitch
      s10 = madd(v128.load(a1, 0), b0, s10)
      s11 = madd(v128.load(a1, 16), b1, s11)
      const a2 = a1 + pixelPitch
      s20 = madd(v128.load(a2, 0), b0, s20)
      s21 = madd(v128.load(a2, 16), b1, s21)
      const a3 = a2 + pixelPitch
      s30 = madd(v128.load(a3, 0), b0, s30)
      s31 = madd(v128.load(a3, 16), b1, s31)
      a0 += tapPitch
      b += pixel
    }
    x += rowPitch
    w += wRow
  }
  v128.store(y, bound(s00, low, high), 0)
  v128.store(y, bound(s01, low, high), 16)
  y += pixel
  v128.store(y, bound(s10, low, high), 0)
  v128.store(y, bound(s11, low, high), 16)
  y += pixel
  v128.store(y, bound(s20, low, high), 0)
  v128.store(y, bound(s21, low, high), 16)
  y += pixel
  v128.store(y, bound(s30, low, high), 0)
  v128.store(y, bound(s31, low, high), 16)
}

/** 1 pixel x 16 channels over `tapsH` x `tapsW` taps that are all inside. Pitches in bytes. */
function tile1x16(
  x: usize, w: usize, bias: usize, y: usize, tapsH: u32, tapsW: u32, rowPitch: u32, tapPitch: u32, pixelPitch: u32, wRow: u32, pixel: u32,
  low: v128, high: v128,
): void {
  const c0 = v128.load(bias, 0)
  const c1 = v128.load(bias, 16)
  const c2 = v128.load(bias, 32)
  const c3 = v128.load(bias, 48)
  let s00 = c0, s01 = c1, s02 = c2, s03 = c3
  for (let ky: u32 = 0; ky < tapsH; ky++) {
    let a0 = x, b = w
    const stop = x + tapsW * tapPitch
    while (a0 < stop) {
      const b0 = v128.load(b, 0)
      const b1 = v128.load(b, 16)
      const b2 = v128.load(b, 32)
      const b3 = v128.load(b, 48)
      s00 = madd(v128.load(a0, 0), b0, s00)
      s01 = madd(v128.load(a0, 16), b1, s01)
      s02 = madd(v128.load(a0, 32), b2, s02)
      s03 = madd(v128.load(a0, 48), b3, s03)
      a0 += tapPitch
      b += pixel
    }
    x += rowPitch
    w += wRow
  }
  v128.store(y, bound(s00, low, high), 0)
  v128.store(y, bound(s01, low, high), 16)
  v128.store(y, bound(s02, low, high), 32)
  v128.store(y, bound(s03, low, high), 48)
}

/** 1 pixel x 8 channels over `tapsH` x `tapsW` taps that are all inside. Pitches in bytes. */
function tile1x8(
  x: usize, w: usize, bias: usize, y: usize, tapsH: u32, tapsW: u32, rowPitch: u32, tapPitch: u32, pixelPitch: u32, wRow: u32, pixel: u32,
  low: v128, high: v128,
): void {
  const c0 = v128.load(bias, 0)
  const c1 = v128.load(bias, 16)
  let s00 = c0, s01 = c1
  for (let ky: u32 = 0; ky < tapsH; ky++) {
    let a0 = x, b = w
    const stop = x + tapsW * tapPitch
    while (a0 < stop) {
      const b0 = v128.load(b, 0)
      const b1 = v128.load(b, 16)
      s00 = madd(v128.load(a0, 0), b0, s00)
      s01 = madd(v128.load(a0, 16), b1, s01)
      a0 += tapPitch
      b += pixel
    }
    x += rowPitch
    w += wRow
  }
  v128.store(y, bound(s00, low, high), 0)
  v128.store(y, bound(s01, low, high), 16)
}

/** One pixel x up to 4 channels. */
function tileRest(
  x: usize, w: usize, bias: usize, y: usize, tapsH: u32, tapsW: u32, rowPitch: u32, tapPitch: u32, wRow: u32, pixel: u32, channels: u32,
  low: v128, high: v128,
): void {
  let sum = v128.load(bias)
  for (let ky: u32 = 0; ky < tapsH; ky++) {
    let a = x, b = w
    for (let kx: u32 = 0; kx < tapsW; kx++) {
      sum = madd(v128.load(a), v128.load(b), sum)
      a += tapPitch
      b += pixel
    }
    x += rowPitch
    w += wRow
  }
  storeLanes(y, bound(sum, low, high), channels)
}

/** 4 pixels of stride 1, `bytes` of channels (a multiple of 32), over tapsH x 3 taps that are all inside. */
function row3s1(
  x: usize, w: usize, bias: usize, y: usize, tapsH: u32, rowPitch: u32, pixel: u32, bytes: u32, low: v128, high: v128,
): void {
  for (let c: u32 = 0; c < bytes; c += 32) {
    const bp = v128.load(bias + c), bq = v128.load(bias + c, 16)
    let p0 = bp, q0 = bq, p1 = bp, q1 = bq, p2 = bp, q2 = bq, p3 = bp, q3 = bq
    let line = x + c, taps = w + c
    for (let ky: u32 = 0; ky < tapsH; ky++) {
      const vp0 = v128.load(taps), vq0 = v128.load(taps, 16)
      taps += pixel
      const vp1 = v128.load(taps), vq1 = v128.load(taps, 16)
      taps += pixel
      const vp2 = v128.load(taps), vq2 = v128.load(taps, 16)
      taps += pixel
      let at = line
      const xp0 = v128.load(at), xq0 = v128.load(at, 16)
      p0 = madd(xp0, vp0, p0)
      q0 = madd(xq0, vq0, q0)
      at += pixel
      const xp1 = v128.load(at), xq1 = v128.load(at, 16)
      p0 = madd(xp1, vp1, p0)
      q0 = madd(xq1, vq1, q0)
      p1 = madd(xp1, vp0, p1)
      q1 = madd(xq1, vq0, q1)
      at += pixel
      const xp2 = v128.load(at), xq2 = v128.load(at, 16)
      p0 = madd(xp2, vp2, p0)
      q0 = madd(xq2, vq2, q0)
      p1 = madd(xp2, vp1, p1)
      q1 = madd(xq2, vq1, q1)
      p2 = madd(xp2, vp0, p2)
      q2 = madd(xq2, vq0, q2)
      at += pixel
      const xp3 = v128.load(at), xq3 = v128.load(at, 16)
      p1 = madd(xp3, vp2, p1)
      q1 = madd(xq3, vq2, q1)
      p2 = madd(xp3, vp1, p2)
      q2 = madd(xq3, vq1, q2)
      p3 = madd(xp3, vp0, p3)
      q3 = madd(xq3, vq0, q3)
      at += pixel
      const xp4 = v128.load(at), xq4 = v128.load(at, 16)
      p2 = madd(xp4, vp2, p2)
      q2 = madd(xq4, vq2, q2)
      p3 = madd(xp4, vp1, p3)
      q3 = madd(xq4, vq1, q3)
      at += pixel
      const xp5 = v128.load(at), xq5 = v128.load(at, 16)
      p3 = madd(xp5, vp2, p3)
      q3 = madd(xq5, vq2, q3)
      line += rowPitch
    }
    let to = y + c
    v128.store(to, bound(p0, low, high))
    v128.store(to, bound(q0, low, high), 16)
    to += pixel
    v128.store(to, bound(p1, low, high))
    v128.store(to, bound(q1, low, high), 16)
    to += pixel
    v128.store(to, bound(p2, low, high))
    v128.store(to, bound(q2, low, high), 16)
    to += pixel
    v128.store(to, bound(p3, low, high))
    v128.store(to, bound(q3, low, high), 16)
  }
}

/** 4 pixels of stride 2, `bytes` of channels (a multiple of 32), over tapsH x 3 taps that are all inside. */
function row3s2(
  x: usize, w: usize, bias: usize, y: usize, tapsH: u32, rowPitch: u32, pixel: u32, bytes: u32, low: v128, high: v128,
): void {
  for (let c: u32 = 0; c < bytes; c += 32) {
    const bp = v128.load(bias + c), bq = v128.load(bias + c, 16)
    let p0 = bp, q0 = bq, p1 = bp, q1 = bq, p2 = bp, q2 = bq, p3 = bp, q3 = bq
    let line = x + c, taps = w + c
    for (let ky: u32 = 0; ky < tapsH; ky++) {
      const vp0 = v128.load(taps), vq0 = v128.load(taps, 16)
      taps += pixel
      const vp1 = v128.load(taps), vq1 = v128.load(taps, 16)
      taps += pixel
      const vp2 = v128.load(taps), vq2 = v128.load(taps, 16)
      taps += pixel
      let at = line
      const xp0 = v128.load(at), xq0 = v128.load(at, 16)
      p0 = madd(xp0, vp0, p0)
      q0 = madd(xq0, vq0, q0)
      at += pixel
      const xp1 = v128.load(at), xq1 = v128.load(at, 16)
      p0 = madd(xp1, vp1, p0)
      q0 = madd(xq1, vq1, q0)
      at += pixel
      const xp2 = v128.load(at), xq2 = v128.load(at, 16)
      p0 = madd(xp2, vp2, p0)
      q0 = madd(xq2, vq2, q0)
      p1 = madd(xp2, vp0, p1)
      q1 = madd(xq2, vq0, q1)
      at += pixel
      const xp3 = v128.load(at), xq3 = v128.load(at, 16)
      p1 = madd(xp3, vp1, p1)
      q1 = madd(xq3, vq1, q1)
      at += pixel
      const xp4 = v128.load(at), xq4 = v128.load(at, 16)
      p1 = madd(xp4, vp2, p1)
      q1 = madd(xq4, vq2, q1)
      p2 = madd(xp4, vp0, p2)
      q2 = madd(xq4, vq0, q2)
      at += pixel
      const xp5 = v128.load(at), xq5 = v128.load(at, 16)
      p2 = madd(xp5, vp1, p2)
      q2 = madd(xq5, vq1, q2)
      at += pixel
      const xp6 = v128.load(at), xq6 = v128.load(at, 16)
      p2 = madd(xp6, vp2, p2)
      q2 = madd(xq6, vq2, q2)
      p3 = madd(xp6, vp0, p3)
      q3 = madd(xq6, vq0, q3)
      at += pixel
      const xp7 = v128.load(at), xq7 = v128.load(at, 16)
      p3 = madd(xp7, vp1, p3)
      q3 = madd(xq7, vq1, q3)
      at += pixel
      const xp8 = v128.load(at), xq8 = v128.load(at, 16)
      p3 = madd(xp8, vp2, p3)
      q3 = madd(xq8, vq2, q3)
      line += rowPitch
    }
    let to = y + c
    v128.store(to, bound(p0, low, high))
    v128.store(to, bound(q0, low, high), 16)
    to += pixel
    v128.store(to, bound(p1, low, high))
    v128.store(to, bound(q1, low, high), 16)
    to += pixel
    v128.store(to, bound(p2, low, high))
    v128.store(to, bound(q2, low, high), 16)
    to += pixel
    v128.store(to, bound(p3, low, high))
    v128.store(to, bound(q3, low, high), 16)
  }
}

/** 4 pixels of stride 1, `bytes` of channels (a multiple of 32), over tapsH x 5 taps that are all inside. */
function row5s1(
  x: usize, w: usize, bias: usize, y: usize, tapsH: u32, rowPitch: u32, pixel: u32, bytes: u32, low: v128, high: v128,
): void {
  for (let c: u32 = 0; c < bytes; c += 32) {
    const bp = v128.load(bias + c), bq = v128.load(bias + c, 16)
    let p0 = bp, q0 = bq, p1 = bp, q1 = bq, p2 = bp, q2 = bq, p3 = bp, q3 = bq
    let line = x + c, taps = w + c
    for (let ky: u32 = 0; ky < tapsH; ky++) {
      const vp0 = v128.load(taps), vq0 = v128.load(taps, 16)
      taps += pixel
      const vp1 = v128.load(taps), vq1 = v128.load(taps, 16)
      taps += pixel
      const vp2 = v128.load(taps), vq2 = v128.load(taps, 16)
      taps += pixel
      const vp3 = v128.load(taps), vq3 = v128.load(taps, 16)
      taps += pixel
      const vp4 = v128.load(taps), vq4 = v128.load(taps, 16)
      taps += pixel
      let at = line
      const xp0 = v128.load(at), xq0 = v128.load(at, 16)
      p0 = madd(xp0, vp0, p0)
      q0 = madd(xq0, vq0, q0)
      at += pixel
      const xp1 = v128.load(at), xq1 = v128.load(at, 16)
      p0 = madd(xp1, vp1, p0)
      q0 = madd(xq1, vq1, q0)
      p1 = madd(xp1, vp0, p1)
      q1 = madd(xq1, vq0, q1)
      at += pixel
      const xp2 = v128.load(at), xq2 = v128.load(at, 16)
      p0 = madd(xp2, vp2, p0)
      q0 = madd(xq2, vq2, q0)
      p1 = madd(xp2, vp1, p1)
      q1 = madd(xq2, vq1, q1)
      p2 = madd(xp2, vp0, p2)
      q2 = madd(xq2, vq0, q2)
      at += pixel
      const xp3 = v128.load(at), xq3 = v128.load(at, 16)
      p0 = madd(xp3, vp3, p0)
      q0 = madd(xq3, vq3, q0)
      p1 = madd(xp3, vp2, p1)
      q1 = madd(xq3, vq2, q1)
      p2 = madd(xp3, vp1, p2)
      q2 = madd(xq3, vq1, q2)
      p3 = madd(xp3, vp0, p3)
      q3 = madd(xq3, vq0, q3)
      at += pixel
      const xp4 = v128.load(at), xq4 = v128.load(at, 16)
      p0 = madd(xp4, vp4, p0)
      q0 = madd(xq4, vq4, q0)
      p1 = madd(xp4, vp3, p1)
      q1 = madd(xq4, vq3, q1)
      p2 = madd(xp4, vp2, p2)
      q2 = madd(xq4, vq2, q2)
      p3 = madd(xp4, vp1, p3)
      q3 = madd(xq4, vq1, q3)
      at += pixel
      const xp5 = v128.load(at), xq5 = v128.load(at, 16)
      p1 = madd(xp5, vp4, p1)
      q1 = madd(xq5, vq4, q1)
      p2 = madd(xp5, vp3, p2)
      q2 = madd(xq5, vq3, q2)
      p3 = madd(xp5, vp2, p3)
      q3 = madd(xq5, vq2, q3)
      at += pixel
      const xp6 = v128.load(at), xq6 = v128.load(at, 16)
      p2 = madd(xp6, vp4, p2)
      q2 = madd(xq6, vq4, q2)
      p3 = madd(xp6, vp3, p3)
      q3 = madd(xq6, vq3, q3)
      at += pixel
      const xp7 = v128.load(at), xq7 = v128.load(at, 16)
      p3 = madd(xp7, vp4, p3)
      q3 = madd(xq7, vq4, q3)
      line += rowPitch
    }
    let to = y + c
    v128.store(to, bound(p0, low, high))
    v128.store(to, bound(q0, low, high), 16)
    to += pixel
    v128.store(to, bound(p1, low, high))
    v128.store(to, bound(q1, low, high), 16)
    to += pixel
    v128.store(to, bound(p2, low, high))
    v128.store(to, bound(q2, low, high), 16)
    to += pixel
    v128.store(to, bound(p3, low, high))
    v128.store(to, bound(q3, low, high), 16)
  }
}

/** 4 pixels of stride 2, `bytes` of channels (a multiple of 32), over tapsH x 5 taps that are all inside. */
function row5s2(
  x: usize, w: usize, bias: usize, y: usize, tapsH: u32, rowPitch: u32, pixel: u32, bytes: u32, low: v128, high: v128,
): void {
  for (let c: u32 = 0; c < bytes; c += 32) {
    const bp = v128.load(bias + c), bq = v128.load(bias + c, 16)
    let p0 = bp, q0 = bq, p1 = bp, q1 = bq, p2 = bp, q2 = bq, p3 = bp, q3 = bq
    let line = x + c, taps = w + c
    for (let ky: u32 = 0; ky < tapsH; ky++) {
      const vp0 = v128.load(taps), vq0 = v128.load(taps, 16)
      taps += pixel
      const vp1 = v128.load(taps), vq1 = v128.load(taps, 16)
      taps += pixel
      const vp2 = v128.load(taps), vq2 = v128.load(taps, 16)
      taps += pixel
      const vp3 = v128.load(taps), vq3 = v128.load(taps, 16)
      taps += pixel
      const vp4 = v128.load(taps), vq4 = v128.load(taps, 16)
      taps += pixel
      let at = line
      const xp0 = v128.load(at), xq0 = v128.load(at, 16)
      p0 = madd(xp0, vp0, p0)
      q0 = madd(xq0, vq0, q0)
      at += pixel
      const xp1 = v128.load(at), xq1 = v128.load(at, 16)
      p0 = madd(xp1, vp1, p0)
      q0 = madd(xq1, vq1, q0)
      at += pixel
      const xp2 = v128.load(at), xq2 = v128.load(at, 16)
      p0 = madd(xp2, vp2, p0)
      q0 = madd(xq2, vq2, q0)
      p1 = madd(xp2, vp0, p1)
      q1 = madd(xq2, vq0, q1)
      at += pixel
      const xp3 = v128.load(at), xq3 = v128.load(at, 16)
      p0 = madd(xp3, vp3, p0)
      q0 = madd(xq3, vq3, q0)
      p1 = madd(xp3, vp1, p1)
      q1 = madd(xq3, vq1, q1)
      at += pixel
      const xp4 = v128.load(at), xq4 = v128.load(at, 16)
      p0 = madd(xp4, vp4, p0)
      q0 = madd(xq4, vq4, q0)
      p1 = madd(xp4, vp2, p1)
      q1 = madd(xq4, vq2, q1)
      p2 = madd(xp4, vp0, p2)
      q2 = madd(xq4, vq0, q2)
      at += pixel
      const xp5 = v128.load(at), xq5 = v128.load(at, 16)
      p1 = madd(xp5, vp3, p1)
      q1 = madd(xq5, vq3, q1)
      p2 = madd(xp5, vp1, p2)
      q2 = madd(xq5, vq1, q2)
      at += pixel
      const xp6 = v128.load(at), xq6 = v128.load(at, 16)
      p1 = madd(xp6, vp4, p1)
      q1 = madd(xq6, vq4, q1)
      p2 = madd(xp6, vp2, p2)
      q2 = madd(xq6, vq2, q2)
      p3 = madd(xp6, vp0, p3)
      q3 = madd(xq6, vq0, q3)
      at += pixel
      const xp7 = v128.load(at), xq7 = v128.load(at, 16)
      p2 = madd(xp7, vp3, p2)
      q2 = madd(xq7, vq3, q2)
      p3 = madd(xp7, vp1, p3)
      q3 = madd(xq7, vq1, q3)
      at += pixel
      const xp8 = v128.load(at), xq8 = v128.load(at, 16)
      p2 = madd(xp8, vp4, p2)
      q2 = madd(xq8, vq4, q2)
      p3 = madd(xp8, vp2, p3)
      q3 = madd(xq8, vq2, q3)
      at += pixel
      const xp9 = v128.load(at), xq9 = v128.load(at, 16)
      p3 = madd(xp9, vp3, p3)
      q3 = madd(xq9, vq3, q3)
      at += pixel
      const xp10 = v128.load(at), xq10 = v128.load(at, 16)
      p3 = madd(xp10, vp4, p3)
      q3 = madd(xq10, vq4, q3)
      line += rowPitch
    }
    let to = y + c
    v128.store(to, bound(p0, low, high))
    v128.store(to, bound(q0, low, high), 16)
    to += pixel
    v128.store(to, bound(p1, low, high))
    v128.store(to, bound(q1, low, high), 16)
    to += pixel
    v128.store(to, bound(p2, low, high))
    v128.store(to, bound(q2, low, high), 16)
    to += pixel
    v128.store(to, bound(p3, low, high))
    v128.store(to, bound(q3, low, high), 16)
  }
}

export function conv2dChannelsLastDepthwise(
  x: usize, w: usize, bias: usize, residual: usize, y: usize, scratch: usize,
  batch: u32, channels: u32, height: u32, width: u32, filters: u32, kernelH: u32, kernelW: u32, outHeight: u32, outWidth: u32,
  strideH: u32, strideW: u32, padTop: u32, padLeft: u32, dilationH: u32, dilationW: u32, groups: u32,
  hasBias: u32, hasResidual: u32, activation: u32, clipMin: f32, clipMax: f32,
): void {
  if (!hasBias) {
    memory.fill(scratch, 0, (channels + 4) << 2)
    bias = scratch
  }
  const last = y
  // A residual comes before the bounds, so both wait for a pass of their own.
  const low = f32x4.splat(hasResidual ? -Infinity : lowest(activation, clipMin))
  const high = f32x4.splat(hasResidual ? Infinity : highest(activation, clipMax))
  const pixel = channels << 2
  const line = width * pixel
  const tapPitch = dilationW * pixel
  const rowPitch = dilationH * line
  const step = strideW * pixel
  const wRow = kernelW * pixel
  const pairs = channels & ~7
  const written = dilationW == 1 && (strideW == 1 || strideW == 2) && (kernelW == 3 || kernelW == 5)
  for (let n: u32 = 0; n < batch; n++) {
    for (let oy: u32 = 0; oy < outHeight; oy++) {
      const top = <i32>(oy * strideH) - <i32>padTop
      // Taps inside: 0 <= top + ky * dilation < height.
      const ky0: u32 = top < 0 ? (-top + dilationH - 1) / dilationH : 0
      const ky1: u32 = min<u32>(kernelH, top < <i32>height ? (height - top + dilationH - 1) / dilationH : 0)
      const tapsH = ky1 > ky0 ? ky1 - ky0 : 0
      for (let ox: u32 = 0; ox < outWidth;) {
        const left = <i32>(ox * strideW) - <i32>padLeft
        const four = ox + 4 <= outWidth && left >= 0 && <u32>left + 3 * strideW + (kernelW - 1) * dilationW < width
        let kx0: u32 = 0, tapsW = kernelW
        if (!four) {
          kx0 = left < 0 ? (-left + dilationW - 1) / dilationW : 0
          const kx1: u32 = min<u32>(kernelW, left < <i32>width ? (width - left + dilationW - 1) / dilationW : 0)
          tapsW = kx1 > kx0 ? kx1 - kx0 : 0
        }
        const from = x + <isize>(top + ky0 * dilationH) * line + <isize>(left + kx0 * dilationW) * pixel
        const taps = w + ky0 * wRow + kx0 * pixel
        const to = y + ox * pixel
        let c: u32 = 0
        if (four && written) {
          const bytes = pairs << 2
          if (kernelW == 3) {
            if (strideW == 1) row3s1(from, taps, bias, to, tapsH, rowPitch, pixel, bytes, low, high)
            else row3s2(from, taps, bias, to, tapsH, rowPitch, pixel, bytes, low, high)
          } else {
            if (strideW == 1) row5s1(from, taps, bias, to, tapsH, rowPitch, pixel, bytes, low, high)
            else row5s2(from, taps, bias, to, tapsH, rowPitch, pixel, bytes, low, high)
          }
          c = pairs
        }
        for (; c + 16 <= channels; c += 16) {
          const at = c << 2
          if (four) tile4x16(from + at, taps + at, bias + at, to + at, tapsH, tapsW, rowPitch, tapPitch, step, wRow, pixel, low, high)
          else tile1x16(from + at, taps + at, bias + at, to + at, tapsH, tapsW, rowPitch, tapPitch, step, wRow, pixel, low, high)
        }
        for (; c + 8 <= channels; c += 8) {
          const at = c << 2
          if (four) tile4x8(from + at, taps + at, bias + at, to + at, tapsH, tapsW, rowPitch, tapPitch, step, wRow, pixel, low, high)
          else tile1x8(from + at, taps + at, bias + at, to + at, tapsH, tapsW, rowPitch, tapPitch, step, wRow, pixel, low, high)
        }
        for (; c < channels; c += 4) {
          const at = c << 2
          const count: u32 = four ? 4 : 1
          for (let p: u32 = 0; p < count; p++) {
            tileRest(
              from + p * step + at, taps + at, bias + at, to + p * pixel + at, tapsH, tapsW, rowPitch, tapPitch, wRow, pixel, channels - c,
              low, high,
            )
          }
        }
        ox += four ? 4 : 1
      }
      y += outWidth * pixel
    }
    x += height * line
  }
  if (!hasResidual) return
  const least = f32x4.splat(lowest(activation, clipMin)), most = f32x4.splat(highest(activation, clipMax))
  const count = batch * outHeight * outWidth * channels
  for (let i: u32 = 0; i < count; i += 4) {
    const at = i << 2
    storeLanes(last + at, bound(f32x4.add(v128.load(last + at), v128.load(residual + at)), least, most), count - i)
  }
}
