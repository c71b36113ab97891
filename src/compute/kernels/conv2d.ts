/**
 * conv2d: two-dimensional convolution (cross-correlation, as in ONNX) with a fused epilogue.
 *
 * y[n,f,oy,ox] = act(bias[f] + residual[n,f,oy,ox] + sum over c,ky,kx of
 *                x[n, g*channels/groups + c, oy*strideH + ky*dilationH - padTop, ox*strideW + kx*dilationW - padLeft]
 *                * w[f,c,ky,kx]), g = the group of f; outside the image x counts as 0.
 * Shapes: x [batch, channels, height, width], w [filters, channels/groups, kernelH, kernelW], bias [filters],
 *         residual and y [batch, filters, outHeight, outWidth].
 * Numerics: one sum in the order c, ky, kx from 0, then + bias, then + residual, then the activation. A backend may
 *           skip the taps outside the image or add their zeros.
 * Source: ONNX operator Conv, opset 11.
 */
import { activate, activationFields } from './activation.ts'
import { defineKernel } from './contract.ts'

export const conv2d = defineKernel({
  fields: {
    batch: 'u32',
    channels: 'u32',
    height: 'u32',
    width: 'u32',
    filters: 'u32',
    kernelH: 'u32',
    kernelW: 'u32',
    outHeight: 'u32',
    outWidth: 'u32',
    strideH: 'u32',
    strideW: 'u32',
    padTop: 'u32',
    padLeft: 'u32',
    dilationH: 'u32',
    dilationW: 'u32',
    /** Divides channels and filters; groups = channels is a depthwise convolution. */
    groups: 'u32',
    /** 1 when the operand bias is there. */
    hasBias: 'u32',
    /** 1 when the operand residual is there. */
    hasResidual: 'u32',
    ...activationFields,
  },
  operands: ['x', 'w', 'bias?', 'residual?'],
  reference(p, [x, w, bias, residual], y) {
    const channelsPerGroup = p.channels / p.groups
    const filtersPerGroup = p.filters / p.groups
    let at = 0
    for (let n = 0; n < p.batch; n++) {
      for (let f = 0; f < p.filters; f++) {
        const firstChannel = n * p.channels + Math.floor(f / filtersPerGroup) * channelsPerGroup
        for (let oy = 0; oy < p.outHeight; oy++) {
          for (let ox = 0; ox < p.outWidth; ox++, at++) {
            let sum = 0
            for (let c = 0; c < channelsPerGroup; c++) {
              for (let ky = 0; ky < p.kernelH; ky++) {
                const iy = oy * p.strideH + ky * p.dilationH - p.padTop
                if (iy < 0 || iy >= p.height) continue
                const row = ((firstChannel + c) * p.height + iy) * p.width
                const taps = ((f * channelsPerGroup + c) * p.kernelH + ky) * p.kernelW
                for (let kx = 0; kx < p.kernelW; kx++) {
                  const ix = ox * p.strideW + kx * p.dilationW - p.padLeft
                  if (ix >= 0 && ix < p.width) sum += x[row + ix] * w[taps + kx]
                }
              }
            }
            if (p.hasBias) sum += bias[f]
            if (p.hasResidual) sum += residual[at]
            y[at] = activate(p, sum)
          }
        }
      }
    }
  },
  cost(p) {
    const outputs = p.batch * p.filters * p.outHeight * p.outWidth
    const taps = (p.channels / p.groups) * p.kernelH * p.kernelW
    const inputs = p.batch * p.channels * p.height * p.width
    return { flops: 2 * outputs * taps, bytes: 4 * (inputs + p.filters * taps + outputs * (1 + p.hasResidual)) }
  },
})
