/**
 * pool2d: maximum or average over windows of each plane.
 *
 * Shapes: x [planes, height, width] (planes = N * C), y [planes, outHeight, outWidth].
 * kind 0: the maximum of the taps inside the image (-infinity for a window without one; NaN if one is NaN).
 * kind 1: their mean. kind 2: their sum over the number of taps inside the padded image,
 *         [-padTop, height + padBottom) x [-padLeft, width + padRight): padding counts as zeros, what a rounded-up
 *         output size reaches beyond it does not count.
 * Numerics: the sum goes in row order of the window, then one division.
 * Source: ONNX operators MaxPool (opset 12) and AveragePool (opset 19).
 */
import { defineKernel } from './contract.ts'

/** The values of the param `kind`. */
export const poolKinds = { max: 0, average: 1, averageIncludePad: 2 } as const

export const pool2d = defineKernel({
  fields: {
    planes: 'u32',
    height: 'u32',
    width: 'u32',
    kernelH: 'u32',
    kernelW: 'u32',
    outHeight: 'u32',
    outWidth: 'u32',
    strideH: 'u32',
    strideW: 'u32',
    padTop: 'u32',
    padLeft: 'u32',
    padBottom: 'u32',
    padRight: 'u32',
    dilationH: 'u32',
    dilationW: 'u32',
    /** 0 max, 1 average of the taps inside the image, 2 average that counts padding. */
    kind: 'u32',
  },
  operands: ['x'],
  reference(p, [x], y) {
    let at = 0
    for (let plane = 0; plane < p.planes; plane++) {
      for (let oy = 0; oy < p.outHeight; oy++) {
        for (let ox = 0; ox < p.outWidth; ox++, at++) {
          let best = Number.NEGATIVE_INFINITY
          let sum = 0
          let inside = 0
          let padded = 0
          for (let ky = 0; ky < p.kernelH; ky++) {
            const iy = oy * p.strideH + ky * p.dilationH - p.padTop
            for (let kx = 0; kx < p.kernelW; kx++) {
              const ix = ox * p.strideW + kx * p.dilationW - p.padLeft
              if (iy < p.height + p.padBottom && ix < p.width + p.padRight) padded++
              if (iy < 0 || iy >= p.height || ix < 0 || ix >= p.width) continue
              const value = x[(plane * p.height + iy) * p.width + ix]
              best = Math.max(best, value)
              sum += value
              inside++
            }
          }
          if (p.kind === poolKinds.max) y[at] = best
          else y[at] = sum / (p.kind === poolKinds.average ? inside : padded)
        }
      }
    }
  },
  cost(p) {
    const outputs = p.planes * p.outHeight * p.outWidth
    return { flops: outputs * p.kernelH * p.kernelW, bytes: 4 * (p.planes * p.height * p.width + outputs) }
  },
})
