/**
 * conv-transpose: the transpose of a convolution with 1 to 3 spatial axes (missing ones have size 1), with a fused
 * epilogue.
 *
 * y[n,f,oz,oy,ox] = act(bias[f] + sum over c,kz,ky,kx of x[n,c,iz,iy,ix] * w[c, f within its group, kz,ky,kx]), c over
 * the channels of f's group, and iz the whole number for which iz * strideD + kz * dilationD - padFront = oz (iy and ix
 * likewise); taps without one, or outside x, do not count.
 * Shapes: x [batch, channels, depth, height, width], w [channels, filters/groups, kernelD, kernelH, kernelW],
 *         bias [filters], y [batch, filters, outDepth, outHeight, outWidth].
 * Numerics: one sum in a fixed order of channels and taps, then + bias, then the activation.
 * Source: ONNX operator ConvTranspose, opset 11; its output padding is in the output's size.
 */
import { activate, activationFields } from './activation.ts'
import { defineKernel } from './contract.ts'

export const convTranspose = defineKernel({
  fields: {
    batch: 'u32',
    channels: 'u32',
    depth: 'u32',
    height: 'u32',
    width: 'u32',
    filters: 'u32',
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
    dilationD: 'u32',
    dilationH: 'u32',
    dilationW: 'u32',
    /** Divides channels and filters. */
    groups: 'u32',
    /** 1 when the operand bias is there. */
    hasBias: 'u32',
    ...activationFields,
  },
  operands: ['x', 'w', 'bias?'],
  reference(p, [x, w, bias], y) {
    const channelsPerGroup = p.channels / p.groups
    const filtersPerGroup = p.filters / p.groups
    const taps = p.kernelD * p.kernelH * p.kernelW
    let at = 0
    for (let n = 0; n < p.batch; n++)
      for (let f = 0; f < p.filters; f++)
        for (let oz = 0; oz < p.outDepth; oz++)
          for (let oy = 0; oy < p.outHeight; oy++)
            for (let ox = 0; ox < p.outWidth; ox++, at++) {
              const firstChannel = Math.floor(f / filtersPerGroup) * channelsPerGroup
              let sum = 0
              for (let c = firstChannel; c < firstChannel + channelsPerGroup; c++)
                for (let tap = 0; tap < taps; tap++) {
                  const kx = tap % p.kernelW
                  const ky = Math.floor(tap / p.kernelW) % p.kernelH
                  const kz = Math.floor(tap / (p.kernelW * p.kernelH))
                  const iz = sourceOf(oz + p.padFront - kz * p.dilationD, p.strideD, p.depth)
                  const iy = sourceOf(oy + p.padTop - ky * p.dilationH, p.strideH, p.height)
                  const ix = sourceOf(ox + p.padLeft - kx * p.dilationW, p.strideW, p.width)
                  if (iz < 0 || iy < 0 || ix < 0) continue
                  const from = (((n * p.channels + c) * p.depth + iz) * p.height + iy) * p.width + ix
                  sum += x[from] * w[(c * filtersPerGroup + (f % filtersPerGroup)) * taps + tap]
                }
              if (p.hasBias) sum += bias[f]
              y[at] = activate(p, sum)
            }
  },
  cost(p) {
    const inputs = p.batch * p.channels * p.depth * p.height * p.width
    const outputs = p.batch * p.filters * p.outDepth * p.outHeight * p.outWidth
    const taps = (p.filters / p.groups) * p.kernelD * p.kernelH * p.kernelW
    return { flops: 2 * inputs * taps, bytes: 4 * (inputs + outputs + p.channels * taps) }
  },
})

/** The input's place that reaches `position` of the spread input, or -1. */
function sourceOf(position: number, stride: number, size: number): number {
  return position >= 0 && position % stride === 0 && position / stride < size ? position / stride : -1
}
