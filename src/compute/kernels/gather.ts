/**
 * gather: slices of a tensor, chosen by a list of places along one axis.
 *
 * y[o,n,i] = x[o,indices[n],i]; a negative index counts from the axis' end.
 * Shapes: x [outer, axis, inner], indices [count], y [outer, count, inner].
 * Numerics: bits are kept. An index outside [-axis, axis), or NaN, gives NaN and never a read outside.
 * Source: ONNX operator Gather, opset 13.
 */
import { defineKernel } from './contract.ts'

/** An index as a place along an axis of `size`, counted from either end; -1 where it lies outside. */
export function wrapIndex(index: number, size: number): number {
  if (!(index >= -size && index < size)) return -1
  return index < 0 ? index + size : index
}

export const gather = defineKernel({
  fields: { outer: 'u32', axis: 'u32', inner: 'u32', count: 'u32' },
  operands: ['x', 'indices'],
  reference(p, [x, indices], y) {
    let at = 0
    for (let o = 0; o < p.outer; o++)
      for (let n = 0; n < p.count; n++) {
        const place = wrapIndex(indices[n], p.axis)
        const first = (o * p.axis + place) * p.inner
        for (let i = 0; i < p.inner; i++, at++) y[at] = place < 0 ? Number.NaN : x[first + i]
      }
  },
  cost(p) {
    return { flops: 0, bytes: 8 * p.outer * p.count * p.inner }
  },
})
