/**
 * softmax: normalised exponentials along one axis, or their logarithm.
 *
 * y[o,c,i] = exp(x[o,c,i] - max) / sum over c of exp(x[o,c,i] - max), max over the axis; log 1: x - max - ln(sum).
 * Shapes: x and y [outer, axis, inner].
 * Numerics: the maximum is taken off first; a line that holds NaN or +infinity is NaN in all its elements.
 *           The sum goes in a fixed order.
 * Source: ONNX operators Softmax and LogSoftmax, opset 13.
 */
import { defineKernel } from './contract.ts'

export const softmax = defineKernel({
  fields: {
    outer: 'u32',
    axis: 'u32',
    inner: 'u32',
    /** 1: the logarithm of the probabilities. */
    log: 'u32',
  },
  operands: ['x'],
  reference(p, [x], y) {
    for (let o = 0; o < p.outer; o++) {
      for (let i = 0; i < p.inner; i++) {
        const first = o * p.axis * p.inner + i
        let best = Number.NEGATIVE_INFINITY
        for (let c = 0; c < p.axis; c++) best = Math.max(best, x[first + c * p.inner])
        let sum = 0
        for (let c = 0; c < p.axis; c++) sum += Math.exp(x[first + c * p.inner] - best)
        for (let c = 0; c < p.axis; c++) {
          const shifted = x[first + c * p.inner] - best
          y[first + c * p.inner] = p.log ? shifted - Math.log(sum) : Math.exp(shifted) / sum
        }
        // With +infinity one term is inf - inf; the whole line is then NaN because the sum is.
      }
    }
  },
  cost(p) {
    const count = p.outer * p.axis * p.inner
    return { flops: 4 * count, bytes: 8 * count }
  },
})
