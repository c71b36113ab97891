/**
 * global-average-pool: the mean of each plane.
 *
 * Shapes: x [planes, area] (planes = N * C, area = H * W), y [planes].
 * Numerics: any fixed order of summation, then one division; an empty plane gives NaN (0 / 0).
 * Source: ONNX operator GlobalAveragePool, opset 1.
 */
import { defineKernel } from './contract.ts'

export const globalAveragePool = defineKernel({
  fields: { planes: 'u32', area: 'u32' },
  operands: ['x'],
  reference(p, [x], y) {
    for (let plane = 0; plane < p.planes; plane++) {
      let sum = 0
      for (let i = 0; i < p.area; i++) sum += x[plane * p.area + i]
      y[plane] = sum / p.area
    }
  },
  cost(p) {
    return { flops: p.planes * p.area, bytes: 4 * p.planes * (p.area + 1) }
  },
})
