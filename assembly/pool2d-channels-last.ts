/**
 * pool2d-channels-last: maximum or average over windows of each channel.
 *
 * Shapes: x [batch, height, width, channels], y [batch, outHeight, outWidth, channels].
 * Params: src/compute/kernels/pool2d-channels-last.ts. No scratch.
 * Numerics: NaN wins a maximum; sums in row order, then one division by the number of taps that count.
 * Source: ONNX MaxPool, AveragePool.
 */
import { storeLanes } from './simd'

const KIND_MAX: u32 = 0
const KIND_AVERAGE: u32 = 1

/** The first of `count` taps from `start` on, `step` apart, that is not below 0. */
// @ts-ignore: decorator
@inline
function firstInside(start: i32, step: i32): i32 {
  return start < 0 ? (step - 1 - start) / step : 0
}

/** How many of `count` taps from `start` on, `step` apart, lie below `end`. */
// @ts-ignore: decorator
@inline
function tapsBelow(start: i32, step: i32, count: i32, end: i32): i32 {
  return start >= end ? 0 : min(count, (end - start + step - 1) / step)
}

/** 8 channels of the largest of `rows` x `columns` taps; NaN is passed over by pmax and brought back by a mask. */
function largest8(from: usize, y: usize, rows: i32, columns: i32, rowBytes: u32, columnBytes: u32): void {
  let p = f32x4.splat(-Infinity), q = p, badP = f32x4.splat(0), badQ = badP
  for (let ky = 0; ky < rows; ky++) {
    let at = from
    for (let kx = 0; kx < columns; kx++) {
      const xp = v128.load(at), xq = v128.load(at, 16)
      p = f32x4.pmax(p, xp)
      q = f32x4.pmax(q, xq)
      badP = v128.or(badP, f32x4.ne(xp, xp))
      badQ = v128.or(badQ, f32x4.ne(xq, xq))
      at += columnBytes
    }
    from += rowBytes
  }
  v128.store(y, v128.or(p, badP))
  v128.store(y, v128.or(q, badQ), 16)
}

function largest4(from: usize, y: usize, rows: i32, columns: i32, rowBytes: u32, columnBytes: u32, lanes: u32): void {
  let p = f32x4.splat(-Infinity), bad = f32x4.splat(0)
  for (let ky = 0; ky < rows; ky++) {
    let at = from
    for (let kx = 0; kx < columns; kx++) {
      const x = v128.load(at)
      p = f32x4.pmax(p, x)
      bad = v128.or(bad, f32x4.ne(x, x))
      at += columnBytes
    }
    from += rowBytes
  }
  storeLanes(y, v128.or(p, bad), lanes)
}

function mean4(from: usize, y: usize, rows: i32, columns: i32, rowBytes: u32, columnBytes: u32, lanes: u32, count: v128): void {
  let sum = f32x4.splat(0)
  for (let ky = 0; ky < rows; ky++) {
    let at = from
    for (let kx = 0; kx < columns; kx++) {
      sum = f32x4.add(sum, v128.load(at))
      at += columnBytes
    }
    from += rowBytes
  }
  storeLanes(y, f32x4.div(sum, count), lanes)
}

export function pool2dChannelsLast(
  x: usize, y: usize, scratch: usize,
  batch: u32, channels: u32, height: i32, width: i32, kernelH: i32, kernelW: i32, outHeight: i32, outWidth: i32,
  strideH: i32, strideW: i32, padTop: i32, padLeft: i32, padBottom: i32, padRight: i32, dilationH: i32, dilationW: i32, kind: u32,
): void {
  const pixel = channels << 2
  const rowBytes = dilationH * width * pixel, columnBytes = dilationW * pixel
  for (let n: u32 = 0; n < batch; n++) {
    for (let oy = 0; oy < outHeight; oy++) {
      const top = oy * strideH - padTop
      const ky0 = firstInside(top, dilationH)
      const rows = max(0, tapsBelow(top, dilationH, kernelH, height) - ky0)
      for (let ox = 0; ox < outWidth; ox++) {
        const left = ox * strideW - padLeft
        const kx0 = firstInside(left, dilationW)
        const columns = max(0, tapsBelow(left, dilationW, kernelW, width) - kx0)
        const from = x + <isize>((top + ky0 * dilationH) * width + left + kx0 * dilationW) * pixel
        let c: u32 = 0
        if (kind == KIND_MAX) {
          for (; c + 8 <= channels; c += 8) largest8(from + (c << 2), y + (c << 2), rows, columns, rowBytes, columnBytes)
          for (; c < channels; c += 4) largest4(from + (c << 2), y + (c << 2), rows, columns, rowBytes, columnBytes, channels - c)
        } else {
          const taps = kind == KIND_AVERAGE
            ? rows * columns
            : tapsBelow(top, dilationH, kernelH, height + padBottom) * tapsBelow(left, dilationW, kernelW, width + padRight)
          const count = f32x4.splat(<f32>taps)
          for (; c < channels; c += 4) mean4(from + (c << 2), y + (c << 2), rows, columns, rowBytes, columnBytes, channels - c, count)
        }
        y += pixel
      }
    }
    x += <usize>(height * width) * pixel
  }
}
