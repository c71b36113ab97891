/**
 * resample-axis: one axis of a tensor at another length, every element a weighted sum of a few.
 *
 * y[o,n,i] = sum over t of weights[n,t] * x[o,indices[n,t],i]; a tap of weight 0 is skipped; y[o,n,i] = fill where
 * indices[n,0] < 0.
 * Shapes: x [outer, size, inner], indices and weights [outSize, taps] (both float32), y [outer, outSize, inner]. Indices are
 *         made on the host and lie in [0, size), but the first of a row that is filled, which is -1.
 * Numerics: one sum in the order of t.
 * Source: ONNX operators Resize (opset 19) and Upsample, one axis at a time.
 */
import { defineKernel } from './contract.ts'

export const resampleAxis = defineKernel({
  fields: {
    outer: 'u32',
    size: 'u32',
    inner: 'u32',
    outSize: 'u32',
    taps: 'u32',
    /** What lies outside, where that is asked for. */
    fill: 'f32',
  },
  operands: ['x', 'indices', 'weights'],
  reference(p, [x, indices, weights], y) {
    let at = 0
    for (let o = 0; o < p.outer; o++)
      for (let n = 0; n < p.outSize; n++)
        for (let i = 0; i < p.inner; i++, at++) {
          let sum = 0
          for (let t = n * p.taps; t < (n + 1) * p.taps; t++)
            if (weights[t] !== 0) sum += weights[t] * x[(o * p.size + indices[t]) * p.inner + i]
          y[at] = indices[n * p.taps] < 0 ? p.fill : sum
        }
  },
  cost(p) {
    const outputs = p.outer * p.outSize * p.inner
    return { flops: 2 * outputs * p.taps, bytes: 4 * (p.outer * p.size * p.inner + outputs) }
  },
})
