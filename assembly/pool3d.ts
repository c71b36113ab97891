/**
 * pool3d: maximum, its place, or average over windows of each volume.
 *
 * Shapes: x [planes, depth, height, width], y [planes, outDepth, outHeight, outWidth]. Params: src/compute/kernels/pool3d.ts.
 *         No scratch.
 * Numerics: f32.max passes NaN on; sums in row order, then one division by the number of taps that count.
 * Source: ONNX MaxPool, AveragePool.
 */
const KIND_MAX: u32 = 0
const KIND_AVERAGE: u32 = 1
const KIND_MAX_INDEX: u32 = 3

/** How many of `count` taps from `start` on, `step` apart, lie below `end`. */
// @ts-ignore: decorator
@inline
function tapsBelow(start: i32, step: i32, count: i32, end: i32): i32 {
  if (start >= end) return 0
  return min(count, (end - start + step - 1) / step)
}

/** The first tap from `start` on that is not below 0. */
// @ts-ignore: decorator
@inline
function firstTap(start: i32, step: i32): i32 {
  return start >= 0 ? 0 : (step - 1 - start) / step
}

export function pool3d(
  x: usize, y: usize, scratch: usize, planes: u32, depth: i32, height: i32, width: i32,
  kernelD: i32, kernelH: i32, kernelW: i32, outDepth: i32, outHeight: i32, outWidth: i32,
  strideD: i32, strideH: i32, strideW: i32, padFront: i32, padTop: i32, padLeft: i32, padBack: i32, padBottom: i32, padRight: i32,
  dilationD: i32, dilationH: i32, dilationW: i32, kind: u32, columnMajor: u32,
): void {
  const volume = depth * height * width
  for (let plane: u32 = 0; plane < planes; plane++) {
    for (let oz = 0; oz < outDepth; oz++) {
      const front = oz * strideD - padFront
      const kz0 = firstTap(front, dilationD), kz1 = tapsBelow(front, dilationD, kernelD, depth)
      const planesPadded = tapsBelow(front, dilationD, kernelD, depth + padBack)
      for (let oy = 0; oy < outHeight; oy++) {
        const top = oy * strideH - padTop
        const ky0 = firstTap(top, dilationH), ky1 = tapsBelow(top, dilationH, kernelH, height)
        const rowsPadded = tapsBelow(top, dilationH, kernelH, height + padBottom)
        for (let ox = 0; ox < outWidth; ox++) {
          const left = ox * strideW - padLeft
          const kx0 = firstTap(left, dilationW), kx1 = tapsBelow(left, dilationW, kernelW, width)
          let best: f32 = -Infinity, largest: f32 = NaN, sum: f32 = 0
          let place = -1
          for (let kz = kz0; kz < kz1; kz++) {
            const iz = front + kz * dilationD
            for (let ky = ky0; ky < ky1; ky++) {
              const iy = top + ky * dilationH
              for (let kx = kx0; kx < kx1; kx++) {
                const ix = left + kx * dilationW
                const at = (iz * height + iy) * width + ix
                const value = load<f32>(x + (at << 2))
                best = max<f32>(best, value)
                sum += value
                if (place < 0 || value > largest) {
                  largest = value
                  place = columnMajor ? iz + (iy + ix * height) * depth : at
                }
              }
            }
          }
          if (kind == KIND_MAX) {
            store<f32>(y, best)
          } else if (kind == KIND_MAX_INDEX) {
            store<f32>(y, place < 0 ? 0 : <f32>(plane * volume + place))
          } else {
            const inside = max(0, kz1 - kz0) * max(0, ky1 - ky0) * max(0, kx1 - kx0)
            const padded = planesPadded * rowsPadded * tapsBelow(left, dilationW, kernelW, width + padRight)
            store<f32>(y, sum / <f32>(kind == KIND_AVERAGE ? inside : padded))
          }
          y += 4
        }
      }
    }
    x += volume << 2
  }
}
