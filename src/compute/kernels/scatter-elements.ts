/**
 * scatter-elements: a tensor with some of its elements replaced or combined, each at its own place along one axis.
 *
 * y = x; then for all u0..u5 along `axis` in ascending order:
 * y[u0..u5 with indices[u0..u5] in place of the one along `axis`] (op)= updates[u0..u5], op chosen by `reduction`; a
 * negative index counts from the end.
 * Shapes: x and y [dim0, …, dim5], indices and updates [index0, …, index5], padded in front with 1; but along `axis` (0
 *         to 5, counted with the padding) no index size exceeds x's.
 * Numerics: each step rounds to float32, in the order of the updates; max and min give NaN if either is NaN. An
 *           update whose index is outside, or NaN, is dropped.
 * Source: ONNX operator ScatterElements, opset 18.
 */
import { defineKernel } from './contract.ts'
import { wrapIndex } from './gather.ts'
import { elementAt } from './gather-elements.ts'

/** The values of the param `reduction`. */
export const scatterReductions = { none: 0, add: 1, mul: 2, max: 3, min: 4 } as const

export type ScatterReduction = keyof typeof scatterReductions

/** What becomes of an element, in the order of `scatterReductions`. */
export const scatterFunctions: readonly ((old: number, update: number) => number)[] = [
  (_, update) => update,
  (old, update) => old + update,
  (old, update) => old * update,
  (old, update) => Math.max(old, update),
  (old, update) => Math.min(old, update),
]

export const scatterElements = defineKernel({
  fields: {
    dim0: 'u32',
    dim1: 'u32',
    dim2: 'u32',
    dim3: 'u32',
    dim4: 'u32',
    dim5: 'u32',
    index0: 'u32',
    index1: 'u32',
    index2: 'u32',
    index3: 'u32',
    index4: 'u32',
    index5: 'u32',
    /** 0 to 5. */
    axis: 'u32',
    /** A value of `scatterReductions`. */
    reduction: 'u32',
  },
  operands: ['x', 'indices', 'updates'],
  reference(p, [x, indices, updates], y) {
    const dims = [p.dim0, p.dim1, p.dim2, p.dim3, p.dim4, p.dim5]
    const sizes = [p.index0, p.index1, p.index2, p.index3, p.index4, p.index5]
    const count = sizes.reduce((product, size) => product * size, 1)
    const combine = scatterFunctions[p.reduction]
    const elements = dims.reduce((product, dim) => product * dim, 1)
    for (let i = 0; i < elements; i++) y[i] = x[i]
    // Row-major order visits the updates of one line in ascending order along every axis.
    for (let at = 0; at < count; at++) {
      const place = wrapIndex(indices[at], dims[p.axis])
      if (place < 0) continue
      const element = elementAt(at, sizes, dims, p.axis, place)
      y[element] = combine(y[element], updates[at])
    }
  },
  cost(p) {
    const elements = p.dim0 * p.dim1 * p.dim2 * p.dim3 * p.dim4 * p.dim5
    const updates = p.index0 * p.index1 * p.index2 * p.index3 * p.index4 * p.index5
    return { flops: updates, bytes: 8 * elements + 12 * updates }
  },
})
