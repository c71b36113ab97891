/**
 * lrn: each element divided by a power of the squares of its neighbouring channels.
 *
 * y[o,c,i] = x[o,c,i] / (bias + alpha / size * sum of x[o,d,i]^2)^beta, d from c - floor((size - 1) / 2) to
 * c + ceil((size - 1) / 2), as far as there are channels.
 * Shapes: x and y [outer, channels, inner].
 * Numerics: the sum in the order of d.
 * Source: ONNX operator LRN, opset 13.
 */
import { defineKernel } from './contract.ts'

export const lrn = defineKernel({
  fields: {
    outer: 'u32',
    channels: 'u32',
    inner: 'u32',
    size: 'u32',
    alpha: 'f32',
    beta: 'f32',
    bias: 'f32',
  },
  operands: ['x'],
  reference(p, [x], y) {
    const before = Math.floor((p.size - 1) / 2)
    const after = Math.ceil((p.size - 1) / 2)
    for (let o = 0; o < p.outer; o++)
      for (let c = 0; c < p.channels; c++)
        for (let i = 0; i < p.inner; i++) {
          let squares = 0
          for (let d = Math.max(0, c - before); d <= Math.min(p.channels - 1, c + after); d++)
            squares += x[(o * p.channels + d) * p.inner + i] ** 2
          const at = (o * p.channels + c) * p.inner + i
          y[at] = x[at] / (p.bias + (p.alpha / p.size) * squares) ** p.beta
        }
  },
  cost(p) {
    const count = p.outer * p.channels * p.inner
    return { flops: count * (2 * p.size + 4), bytes: 8 * count }
  },
})
