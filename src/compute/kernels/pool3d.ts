/**
 * pool3d: maximum, its place, or average over windows of each volume; pool2d's third dimension.
 *
 * Shapes: x [planes, depth, height, width] (planes = N * C), y [planes, outDepth, outHeight, outWidth].
 * kind 0: the maximum of the taps inside the volume (-infinity for a window without one; NaN if one is NaN).
 * kind 1: their mean. kind 2: their sum over the number of taps inside the padded volume (pool2d.ts).
 * kind 3: the place in the whole of x of the first largest tap (NaN is passed over unless it comes first); 0 for a window
 *         without a tap. columnMajor 1: within its plane the place counts depth fastest and width slowest.
 * Numerics: the sum goes in row order of the window, then one division.
 * Source: ONNX operators MaxPool (opset 12) and AveragePool (opset 19). With columnMajor a plane of two axes is given as
 *         height and width with depth 1, one of one axis as width.
 */
import { defineKernel } from './contract.ts'

/** The values of the param `kind`; the first three are pool2d's. */
export const pool3dKinds = { max: 0, average: 1, averageIncludePad: 2, maxIndex: 3 } as const

export const pool3d = defineKernel({
  fields: {
    planes: 'u32',
    depth: 'u32',
    height: 'u32',
    width: 'u32',
    kernelD: 'u32',
    kernelH: 'u32',
    kernelW: 'u32',
    outDepth: 'u32',
    outHeight: 'u32',
    outWidth: 'u32',
    strideD: 'u32',
    strideH: 'u32',
    strideW: 'u32',
    padFront: 'u32',
    padTop: 'u32',
    padLeft: 'u32',
    padBack: 'u32',
    padBottom: 'u32',
    padRight: 'u32',
    dilationD: 'u32',
    dilationH: 'u32',
    dilationW: 'u32',
    /** A value of `pool3dKinds`. */
    kind: 'u32',
    columnMajor: 'u32',
  },
  operands: ['x'],
  reference(p, [x], y) {
    const taps = p.kernelD * p.kernelH * p.kernelW
    let at = 0
    for (let plane = 0; plane < p.planes; plane++)
      for (let oz = 0; oz < p.outDepth; oz++)
        for (let oy = 0; oy < p.outHeight; oy++)
          for (let ox = 0; ox < p.outWidth; ox++, at++) {
            let best = Number.NEGATIVE_INFINITY
            let largest = Number.NaN
            let [place, sum, inside, padded] = [-1, 0, 0, 0]
            for (let tap = 0; tap < taps; tap++) {
              const iz = oz * p.strideD + Math.floor(tap / (p.kernelW * p.kernelH)) * p.dilationD - p.padFront
              const iy = oy * p.strideH + (Math.floor(tap / p.kernelW) % p.kernelH) * p.dilationH - p.padTop
              const ix = ox * p.strideW + (tap % p.kernelW) * p.dilationW - p.padLeft
              if (iz < p.depth + p.padBack && iy < p.height + p.padBottom && ix < p.width + p.padRight) padded++
              if (iz < 0 || iz >= p.depth || iy < 0 || iy >= p.height || ix < 0 || ix >= p.width) continue
              const value = x[((plane * p.depth + iz) * p.height + iy) * p.width + ix]
              if (place < 0 || value > largest) {
                largest = value
                place = p.columnMajor ? iz + (iy + ix * p.height) * p.depth : (iz * p.height + iy) * p.width + ix
              }
              best = Math.max(best, value)
              sum += value
              inside++
            }
            if (p.kind === pool3dKinds.max) y[at] = best
            else if (p.kind === pool3dKinds.maxIndex)
              y[at] = place < 0 ? 0 : plane * p.depth * p.height * p.width + place
            else y[at] = sum / (p.kind === pool3dKinds.average ? inside : padded)
          }
  },
  cost(p) {
    const outputs = p.planes * p.outDepth * p.outHeight * p.outWidth
    const inputs = p.planes * p.depth * p.height * p.width
    return { flops: outputs * p.kernelD * p.kernelH * p.kernelW, bytes: 4 * (inputs + outputs) }
  },
})
