/**
 * top-k: the k largest (or smallest) of each line in order, or their places.
 *
 * Shapes: x [outer, axis, inner], y [outer, k, inner], k at most axis.
 * Order: the largest first (largest 0: the smallest), equal ones by their place, -0 equal to 0, NaN behind every number.
 * part 0: the values, bits kept; part 1: their places along the axis.
 * Numerics: exact.
 * Source: ONNX operator TopK, opset 11, always sorted.
 */
import { defineKernel } from './contract.ts'

/** The values of the param `part`. */
export const topKParts = { values: 0, indices: 1 } as const

export const topK = defineKernel({
  fields: {
    outer: 'u32',
    axis: 'u32',
    inner: 'u32',
    k: 'u32',
    largest: 'u32',
    /** A value of `topKParts`. */
    part: 'u32',
  },
  operands: ['x'],
  reference(p, [x], y) {
    const sign = p.largest ? -1 : 1
    for (let o = 0; o < p.outer; o++)
      for (let i = 0; i < p.inner; i++) {
        const value = (c: number) => x[(o * p.axis + c) * p.inner + i]
        const order = Array.from({ length: p.axis }, (_, c) => c).sort((c, d) => {
          const [a, b] = [sign * value(c), sign * value(d)]
          if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b)) || c - d
          return a < b ? -1 : a > b ? 1 : c - d
        })
        for (let rank = 0; rank < p.k; rank++)
          y[(o * p.k + rank) * p.inner + i] = p.part === topKParts.values ? value(order[rank]) : order[rank]
      }
  },
  cost(p) {
    const lines = p.outer * p.inner
    return { flops: lines * p.axis * Math.ceil(Math.log2(p.k + 2)), bytes: 4 * lines * (p.axis + p.k) }
  },
})
