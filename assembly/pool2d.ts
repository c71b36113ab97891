/**
 * pool2d: maximum or average over windows of each plane.
 *
 * Shapes: x [planes, height, width], y [planes, outHeight, outWidth]. Params: src/compute/kernels/pool2d.ts. No scratch.
 * Numerics: f32.max passes NaN on; sums in row order, then one division by the number of taps that count. Four windows of
 *           a line at a time where none is cut at its left or right, which changes no bit.
 * Source: ONNX MaxPool, AveragePool.
 */
import { storeLanes } from './simd'

const KIND_MAX: u32 = 0
const KIND_AVERAGE: u32 = 1

/** How many of `count` taps from `start` on, `step` apart, lie below `end`. */
// @ts-ignore: decorator
@inline
function tapsBelow(start: i32, step: i32, count: i32, end: i32): i32 {
  if (start >= end) return 0
  return min(count, (end - start + step - 1) / step)
}

/** Four elements, `stride` apart. Reads at most 3 strides and a vector. */
// @ts-ignore: decorator
@inline
function loadApart(at: usize, stride: i32): v128 {
  if (stride == 1) return v128.load(at)
  if (stride == 2) return v128.shuffle<f32>(v128.load(at), v128.load(at, 16), 0, 2, 4, 6)
  const step = stride << 2
  let value = v128.load32_zero(at)
  value = v128.load_lane<f32>(at + step, value, 1)
  value = v128.load_lane<f32>(at + 2 * step, value, 2)
  return v128.load_lane<f32>(at + 3 * step, value, 3)
}

/** Four whole windows: `rows` x `columns` taps from `from` on. `most` is a literal. */
// @ts-ignore: decorator
@inline
function windows(most: bool, from: usize, rows: i32, columns: i32, rowBytes: i32, columnBytes: i32, stride: i32): v128 {
  let so = f32x4.splat(most ? -Infinity : 0), bad = f32x4.splat(0)
  for (let ky = 0; ky < rows; ky++) {
    let at = from
    for (let kx = 0; kx < columns; kx++) {
      const value = loadApart(at, stride)
      if (most) {
        // pmax passes NaN over, at a seventh of max's cost; the mask brings it back.
        so = f32x4.pmax(so, value)
        bad = v128.or(bad, f32x4.ne(value, value))
      } else {
        so = f32x4.add(so, value)
      }
      at += columnBytes
    }
    from += rowBytes
  }
  return v128.or(so, bad)
}

/** One window: `rows` x `columns` taps from `from` on. */
// @ts-ignore: decorator
@inline
function window(most: bool, from: usize, rows: i32, columns: i32, rowBytes: i32, columnBytes: i32): f32 {
  let so: f32 = most ? -Infinity : 0
  for (let ky = 0; ky < rows; ky++) {
    let at = from
    for (let kx = 0; kx < columns; kx++) {
      const value = load<f32>(at)
      so = most ? max<f32>(so, value) : so + value
      at += columnBytes
    }
    from += rowBytes
  }
  return so
}

/** Windows of one line of the output from `ox` to `end`, which may be cut anywhere. */
function cutWindows(
  x: usize, y: usize, ox: i32, end: i32, top: i32, ky0: i32, ky1: i32, rowsPadded: i32,
  width: i32, kernelW: i32, strideW: i32, padLeft: i32, padRight: i32, dilationH: i32, dilationW: i32, kind: u32,
): void {
  for (; ox < end; ox++) {
    const left = ox * strideW - padLeft
    const kx0 = left >= 0 ? 0 : (dilationW - 1 - left) / dilationW
    const kx1 = tapsBelow(left, dilationW, kernelW, width)
    const from = x + (((top + ky0 * dilationH) * width + left + kx0 * dilationW) << 2)
    const rows = ky1 - ky0, columns = kx1 - kx0
    const rowBytes = (dilationH * width) << 2
    if (kind == KIND_MAX) {
      store<f32>(y + (ox << 2), window(true, from, rows, columns, rowBytes, dilationW << 2))
    } else {
      const inside = max(0, rows) * max(0, columns)
      const padded = rowsPadded * tapsBelow(left, dilationW, kernelW, width + padRight)
      const sum = window(false, from, rows, columns, rowBytes, dilationW << 2)
      store<f32>(y + (ox << 2), sum / <f32>(kind == KIND_AVERAGE ? inside : padded))
    }
  }
}

/** Windows from `ox` to `end` that are whole from left to right. */
// @ts-ignore: decorator
@inline
function wholeWindows(
  most: bool, from: usize, y: usize, ox: i32, end: i32, rows: i32, columns: i32, rowBytes: i32, columnBytes: i32, stride: i32, count: f32,
): void {
  const divisor = f32x4.splat(count)
  for (; ox < end; ox += 4) {
    const value = windows(most, from, rows, columns, rowBytes, columnBytes, stride)
    storeLanes(y + (ox << 2), most ? value : f32x4.div(value, divisor), end - ox)
    from += stride << 4
  }
}

export function pool2d(
  x: usize, y: usize, scratch: usize,
  planes: u32, height: i32, width: i32, kernelH: i32, kernelW: i32, outHeight: i32, outWidth: i32, strideH: i32, strideW: i32,
  padTop: i32, padLeft: i32, padBottom: i32, padRight: i32, dilationH: i32, dilationW: i32, kind: u32,
): void {
  // The first window that begins inside the image, and one past the last that ends there. The vectors of strides above 16
  // would reach beyond the host's slack.
  const first = min(outWidth, (padLeft + strideW - 1) / strideW)
  const room = width + padLeft - (kernelW - 1) * dilationW - 1
  const last = strideW > 16 || room < 0 ? first : max(first, min(outWidth, room / strideW + 1))
  const rowBytes = (dilationH * width) << 2, columnBytes = dilationW << 2
  for (let plane: u32 = 0; plane < planes; plane++) {
    for (let oy = 0; oy < outHeight; oy++) {
      const top = oy * strideH - padTop
      const ky0 = top >= 0 ? 0 : (dilationH - 1 - top) / dilationH
      const ky1 = tapsBelow(top, dilationH, kernelH, height)
      const rowsPadded = tapsBelow(top, dilationH, kernelH, height + padBottom)
      cutWindows(x, y, 0, first, top, ky0, ky1, rowsPadded, width, kernelW, strideW, padLeft, padRight, dilationH, dilationW, kind)
      const from = x + (((top + ky0 * dilationH) * width + first * strideW - padLeft) << 2)
      const rows = max(0, ky1 - ky0)
      const counted = <f32>((kind == KIND_AVERAGE ? rows : rowsPadded) * kernelW)
      if (kind != KIND_MAX) wholeWindows(false, from, y, first, last, rows, kernelW, rowBytes, columnBytes, strideW, counted)
      else if (strideW == 1) wholeWindows(true, from, y, first, last, rows, kernelW, rowBytes, columnBytes, 1, 1)
      else if (strideW == 2) wholeWindows(true, from, y, first, last, rows, kernelW, rowBytes, columnBytes, 2, 1)
      else wholeWindows(true, from, y, first, last, rows, kernelW, rowBytes, columnBytes, strideW, 1)
      cutWindows(x, y, last, outWidth, top, ky0, ky1, rowsPadded, width, kernelW, strideW, padLeft, padRight, dilationH, dilationW, kind)
      y += outWidth << 2
    }
    x += (height * width) << 2
  }
}
