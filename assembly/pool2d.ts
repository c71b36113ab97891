/**
 * pool2d: maximum or average over windows of each plane.
 *
 * Shapes: x [planes, height, width], y [planes, outHeight, outWidth]. Params: src/compute/kernels/pool2d.ts. No scratch.
 * Numerics: f32.max passes NaN on; sums in row order, then one division by the number of taps that count.
 * Source: ONNX MaxPool, AveragePool.
 */
const KIND_MAX: u32 = 0
const KIND_AVERAGE: u32 = 1

/** How many of `count` taps from `start` on, `step` apart, lie below `end`. */
// @ts-ignore: decorator
@inline
function tapsBelow(start: i32, step: i32, count: i32, end: i32): i32 {
  if (start >= end) return 0
  return min(count, (end - start + step - 1) / step)
}

export function pool2d(
  x: usize, y: usize, scratch: usize,
  planes: u32, height: i32, width: i32, kernelH: i32, kernelW: i32, outHeight: i32, outWidth: i32, strideH: i32, strideW: i32,
  padTop: i32, padLeft: i32, padBottom: i32, padRight: i32, dilationH: i32, dilationW: i32, kind: u32,
): void {
  for (let plane: u32 = 0; plane < planes; plane++) {
    for (let oy = 0; oy < outHeight; oy++) {
      const top = oy * strideH - padTop
      const ky0 = top >= 0 ? 0 : (dilationH - 1 - top) / dilationH
      const ky1 = tapsBelow(top, dilationH, kernelH, height)
      const rowsPadded = tapsBelow(top, dilationH, kernelH, height + padBottom)
      for (let ox = 0; ox < outWidth; ox++) {
        const left = ox * strideW - padLeft
        const kx0 = left >= 0 ? 0 : (dilationW - 1 - left) / dilationW
        const kx1 = tapsBelow(left, dilationW, kernelW, width)
        let best: f32 = -Infinity
        let sum: f32 = 0
        for (let ky = ky0; ky < ky1; ky++) {
          let from = x + (((top + ky * dilationH) * width + left + kx0 * dilationW) << 2)
          for (let kx = kx0; kx < kx1; kx++) {
            const value = load<f32>(from)
            if (kind == KIND_MAX) best = max<f32>(best, value)
            else sum += value
            from += dilationW << 2
          }
        }
        if (kind == KIND_MAX) {
          store<f32>(y, best)
        } else {
          const inside = max(0, ky1 - ky0) * max(0, kx1 - kx0)
          const padded = rowsPadded * tapsBelow(left, dilationW, kernelW, width + padRight)
          store<f32>(y, sum / <f32>(kind == KIND_AVERAGE ? inside : padded))
        }
        y += 4
      }
    }
    x += (height * width) << 2
  }
}
