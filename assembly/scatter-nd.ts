/**
 * scatter-nd: a tensor with some of its slices replaced or combined, each named by a tuple of places.
 *
 * Shapes: x and y [dim0, …, dim(depth-1), inner], indices [count, depth], updates [count, inner].
 * Params: src/compute/kernels/scatter-nd.ts. No scratch.
 * Numerics: each step rounds, in the order of the tuples; one with a place outside is dropped.
 * Source: ONNX ScatterND.
 */
import { sliceAt } from './gather-nd'
import { combine } from './scatter-elements'

export function scatterNd(
  x: usize, indices: usize, updates: usize, y: usize, scratch: usize, count: u32, depth: u32, inner: u32,
  dim0: u32, dim1: u32, dim2: u32, dim3: u32, dim4: u32, dim5: u32, reduction: u32,
): void {
  memory.copy(y, x, (dim0 * dim1 * dim2 * dim3 * dim4 * dim5 * inner) << 2)
  for (let n: u32 = 0; n < count; n++) {
    const slice = sliceAt(indices, depth, dim0, dim1, dim2, dim3, dim4, dim5)
    if (slice >= 0) {
      const to = y + ((slice * inner) << 2)
      for (let i: u32 = 0; i < inner; i++) combine(reduction, to + (i << 2), updates + (i << 2))
    }
    indices += depth << 2
    updates += inner << 2
  }
}
