/**
 * segment-sum: rows added up by the segment that each one's label names, block by block of rows.
 *
 * y[s,j,i] = sum over r of x[s,r,i] where labels[s,r] = j
 * Shapes: x [blocks, rows, inner], labels [blocks, rows], y [blocks, segments, inner].
 * Numerics: one sum in the order of r from 0. A label that is no whole number below `segments`, or NaN, counts nowhere.
 * Source: ONNX operator ScatterElements with reduction add, as far as k-means needs it.
 */
import { defineKernel } from './contract.ts'

export const segmentSum = defineKernel({
  fields: { blocks: 'u32', rows: 'u32', inner: 'u32', segments: 'u32' },
  operands: ['x', 'labels'],
  reference(p, [x, labels], y) {
    const size = p.segments * p.inner
    const sums = new Float64Array(size)
    for (let s = 0; s < p.blocks; s++) {
      sums.fill(0)
      for (let r = s * p.rows; r < (s + 1) * p.rows; r++) {
        const label = labels[r]
        if (!(Number.isInteger(label) && label >= 0 && label < p.segments)) continue
        for (let i = 0; i < p.inner; i++) sums[label * p.inner + i] += x[r * p.inner + i]
      }
      for (let at = 0; at < size; at++) y[s * size + at] = sums[at]
    }
  },
  cost(p) {
    const count = p.blocks * p.rows
    return { flops: count * p.inner, bytes: 4 * (count * (p.inner + 1) + p.blocks * p.segments * p.inner) }
  },
})
