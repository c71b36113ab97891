/**
 * scatter-nd: a tensor with some of its slices replaced or combined, each named by a tuple of places.
 *
 * y = x; then for n from 0: y[indices[n,0], …, indices[n,depth-1], :] (op)= updates[n, :], op chosen by `reduction`
 * (scatter-elements.ts); negative places count from their axis' end.
 * Shapes: x and y [dim0, …, dim(depth-1), inner], indices [count, depth], depth 1 to 6 (dims beyond it are 1), updates
 *         [count, inner].
 * Numerics: each step rounds to float32, in the order of n; max and min give NaN if either is NaN. A tuple with a
 *           place outside, or NaN, is dropped.
 * Source: ONNX operator ScatterND, opset 18.
 */
import { defineKernel } from './contract.ts'
import { sliceAt } from './gather-nd.ts'
import { scatterFunctions } from './scatter-elements.ts'

export const scatterNd = defineKernel({
  fields: {
    count: 'u32',
    depth: 'u32',
    inner: 'u32',
    dim0: 'u32',
    dim1: 'u32',
    dim2: 'u32',
    dim3: 'u32',
    dim4: 'u32',
    dim5: 'u32',
    /** A value of `scatterReductions`. */
    reduction: 'u32',
  },
  operands: ['x', 'indices', 'updates'],
  reference(p, [x, indices, updates], y) {
    const dims = [p.dim0, p.dim1, p.dim2, p.dim3, p.dim4, p.dim5].slice(0, p.depth)
    const elements = dims.reduce((product, dim) => product * dim, p.inner)
    const combine = scatterFunctions[p.reduction]
    for (let i = 0; i < elements; i++) y[i] = x[i]
    for (let n = 0; n < p.count; n++) {
      const slice = sliceAt(indices, n * p.depth, dims)
      if (slice < 0) continue
      for (let i = 0; i < p.inner; i++) {
        const at = slice * p.inner + i
        y[at] = combine(y[at], updates[n * p.inner + i])
      }
    }
  },
  cost(p) {
    const elements = p.dim0 * p.dim1 * p.dim2 * p.dim3 * p.dim4 * p.dim5 * p.inner
    return { flops: p.count * p.inner, bytes: 8 * elements + 4 * p.count * (3 * p.inner + p.depth) }
  },
})
