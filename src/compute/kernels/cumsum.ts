/**
 * cumsum: running sums along an axis.
 *
 * y[o,c,i] = x[o,0,i] + … + x[o,c,i]; exclusive 1: without x[o,c,i] itself; reverse 1: from the axis' end.
 * Shapes: x and y [outer, axis, inner].
 * Numerics: one sum in the order of the axis (of its reverse).
 * Source: ONNX operator CumSum, opset 14.
 */
import { defineKernel } from './contract.ts'

export const cumsum = defineKernel({
  fields: { outer: 'u32', axis: 'u32', inner: 'u32', exclusive: 'u32', reverse: 'u32' },
  operands: ['x'],
  reference(p, [x], y) {
    for (let o = 0; o < p.outer; o++)
      for (let i = 0; i < p.inner; i++) {
        let sum = 0
        for (let step = 0; step < p.axis; step++) {
          const at = (o * p.axis + (p.reverse ? p.axis - 1 - step : step)) * p.inner + i
          const next = sum + x[at]
          y[at] = p.exclusive ? sum : next
          sum = next
        }
      }
  },
  cost(p) {
    const count = p.outer * p.axis * p.inner
    return { flops: count, bytes: 8 * count }
  },
})
