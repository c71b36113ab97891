/**
 * normalize: every row to mean 0 and variance 1, then scaled and shifted by column.
 *
 * y[o,i] = (x[o,i] - mean) / sqrt(variance + epsilon) * scale[i] + bias[i], mean and variance (of the whole row, divided
 * by `inner`) of row o.
 * Shapes: x and y [outer, inner], scale and bias [inner].
 * Numerics: the mean first, then the variance from differences to it, in a fixed order.
 * Source: ONNX operators LayerNormalization (opset 17), InstanceNormalization (6) and GroupNormalization (21), the last
 *         two with an `affine` behind them.
 */
import { defineKernel } from './contract.ts'

export const normalize = defineKernel({
  fields: {
    outer: 'u32',
    inner: 'u32',
    epsilon: 'f32',
    /** 1 when the operand scale is there. */
    hasScale: 'u32',
    /** 1 when the operand bias is there. */
    hasBias: 'u32',
  },
  operands: ['x', 'scale?', 'bias?'],
  reference(p, [x, scale, bias], y) {
    for (let o = 0; o < p.outer; o++) {
      const first = o * p.inner
      let sum = 0
      for (let i = 0; i < p.inner; i++) sum += x[first + i]
      const mean = sum / p.inner
      let squares = 0
      for (let i = 0; i < p.inner; i++) squares += (x[first + i] - mean) ** 2
      const deviation = Math.sqrt(squares / p.inner + p.epsilon)
      for (let i = 0; i < p.inner; i++) {
        const factor = p.hasScale ? scale[i] : 1
        y[first + i] = ((x[first + i] - mean) / deviation) * factor + (p.hasBias ? bias[i] : 0)
      }
    }
  },
  cost(p) {
    const count = p.outer * p.inner
    return { flops: 7 * count, bytes: 8 * count }
  },
})
