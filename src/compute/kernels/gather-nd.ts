/**
 * gather-nd: slices of a tensor, each chosen by a tuple of places along its leading axes.
 *
 * y[b,n,:] = x[b, indices[b,n,0], …, indices[b,n,depth-1], :]; negative places count from their axis' end.
 * Shapes: x [batch, dim0, …, dim(depth-1), inner], indices [batch, count, depth], depth 1 to 6 (dims beyond it are 1),
 *         y [batch, count, inner].
 * Numerics: bits are kept. A place outside, or NaN, gives a slice of NaN and never a read outside.
 * Source: ONNX operator GatherND, opset 13.
 */
import { defineKernel } from './contract.ts'
import { wrapIndex } from './gather.ts'

export const gatherNd = defineKernel({
  fields: {
    batch: 'u32',
    count: 'u32',
    depth: 'u32',
    inner: 'u32',
    dim0: 'u32',
    dim1: 'u32',
    dim2: 'u32',
    dim3: 'u32',
    dim4: 'u32',
    dim5: 'u32',
  },
  operands: ['x', 'indices'],
  reference(p, [x, indices], y) {
    const dims = [p.dim0, p.dim1, p.dim2, p.dim3, p.dim4, p.dim5].slice(0, p.depth)
    const slices = dims.reduce((product, dim) => product * dim, 1)
    for (let tuple = 0; tuple < p.batch * p.count; tuple++) {
      const slice = sliceAt(indices, tuple * p.depth, dims)
      const first = (Math.floor(tuple / p.count) * slices + slice) * p.inner
      for (let i = 0; i < p.inner; i++) y[tuple * p.inner + i] = slice < 0 ? Number.NaN : x[first + i]
    }
  },
  cost(p) {
    return { flops: 0, bytes: p.batch * p.count * (8 * p.inner + 4 * p.depth) }
  },
})

/** The slice that the tuple from `first` on names in a tensor of `dims`; -1 where a place lies outside. */
export function sliceAt(indices: ArrayLike<number>, first: number, dims: readonly number[]): number {
  let slice = 0
  for (let d = 0; d < dims.length; d++) {
    const place = wrapIndex(indices[first + d], dims[d])
    if (place < 0) return -1
    slice = slice * dims[d] + place
  }
  return slice
}
