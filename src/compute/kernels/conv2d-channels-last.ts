/**
 * conv2d-channels-last: conv2d on images whose channels are neighbours.
 *
 * y[n,oy,ox,f] = act(bias[f] + residual[n,oy,ox,f] + sum over ky,kx,c of
 *                x[n, oy*strideH + ky*dilationH - padTop, ox*strideW + kx*dilationW - padLeft, g*channels/groups + c]
 *                * w[f,c,ky,kx]), g = the group of f; outside the image x counts as 0.
 * Shapes: x [batch, height, width, channels], w [filters, channels/groups, kernelH, kernelW], bias [filters],
 *         residual and y [batch, outHeight, outWidth, filters].
 * Numerics: one sum from bias on, then + residual, then the activation. A backend may skip the taps outside the image or add
 *           their zeros, and may take Winograd's sums where they are within 1e-5 (relative L2 norm): by the shape of an
 *           image alone, never by the batch. There an infinity makes NaN of its neighbours.
 * Source: ONNX operator Conv, opset 11.
 */
import { activate } from './activation.ts'
import { defineKernel } from './contract.ts'
import { conv2d } from './conv2d.ts'

export const conv2dChannelsLast = defineKernel({
  fields: conv2d.fields,
  operands: conv2d.operands,
  reference(p, [x, w, bias, residual], y) {
    const channelsPerGroup = p.channels / p.groups
    const filtersPerGroup = p.filters / p.groups
    let at = 0
    for (let n = 0; n < p.batch; n++) {
      for (let oy = 0; oy < p.outHeight; oy++) {
        for (let ox = 0; ox < p.outWidth; ox++) {
          for (let f = 0; f < p.filters; f++, at++) {
            const firstChannel = Math.floor(f / filtersPerGroup) * channelsPerGroup
            let sum = p.hasBias ? bias[f] : 0
            for (let ky = 0; ky < p.kernelH; ky++) {
              const iy = oy * p.strideH + ky * p.dilationH - p.padTop
              if (iy < 0 || iy >= p.height) continue
              for (let kx = 0; kx < p.kernelW; kx++) {
                const ix = ox * p.strideW + kx * p.dilationW - p.padLeft
                if (ix < 0 || ix >= p.width) continue
                const pixel = ((n * p.height + iy) * p.width + ix) * p.channels + firstChannel
                const taps = (f * channelsPerGroup * p.kernelH + ky) * p.kernelW + kx
                for (let c = 0; c < channelsPerGroup; c++) sum += x[pixel + c] * w[taps + c * p.kernelH * p.kernelW]
              }
            }
            if (p.hasResidual) sum += residual[at]
            y[at] = activate(p, sum)
          }
        }
      }
    }
  },
  cost: conv2d.cost,
})
