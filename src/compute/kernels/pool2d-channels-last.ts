/**
 * pool2d-channels-last: pool2d on images whose channels are neighbours.
 *
 * Shapes: x [batch, height, width, channels], y [batch, outHeight, outWidth, channels]. `kind` and numerics: pool2d.
 * Source: ONNX operators MaxPool (opset 12) and AveragePool (opset 19).
 */
import { defineKernel } from './contract.ts'
import { poolKinds } from './pool2d.ts'

export const pool2dChannelsLast = defineKernel({
  fields: {
    batch: 'u32',
    channels: 'u32',
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
    /** A value of `poolKinds`. */
    kind: 'u32',
  },
  operands: ['x'],
  reference(p, [x], y) {
    let at = 0
    for (let n = 0; n < p.batch; n++) {
      for (let oy = 0; oy < p.outHeight; oy++) {
        for (let ox = 0; ox < p.outWidth; ox++) {
          for (let c = 0; c < p.channels; c++, at++) {
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
                const value = x[((n * p.height + iy) * p.width + ix) * p.channels + c]
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
    }
  },
  cost(p) {
    const outputs = p.batch * p.outHeight * p.outWidth * p.channels
    const inputs = p.batch * p.height * p.width * p.channels
    return { flops: outputs * p.kernelH * p.kernelW, bytes: 4 * (inputs + outputs) }
  },
})
