/**
 * gather-nd: slices of a tensor, each chosen by a tuple of places along its leading axes.
 *
 * Shapes: x [batch, dim0, …, dim(depth-1), inner], indices [batch, count, depth], y [batch, count, inner].
 * Params: src/compute/kernels/gather-nd.ts. No scratch.
 * Numerics: bits are kept; a place outside gives a slice of NaN and never a read outside.
 * Source: ONNX GatherND.
 */
import { copyRun, fillNaN, wrapIndex } from './gather'

// @ts-ignore: decorator
@inline
function inAxis(slice: i32, tuple: usize, d: u32, depth: u32, dim: u32): i32 {
  if (slice < 0 || d >= depth) return slice
  const place = wrapIndex(load<f32>(tuple + (d << 2)), dim)
  return place < 0 ? -1 : slice * <i32>dim + place
}

/** The slice that a tuple names; -1 where a place lies outside. */
// @ts-ignore: decorator
@inline
export function sliceAt(
  tuple: usize, depth: u32, dim0: u32, dim1: u32, dim2: u32, dim3: u32, dim4: u32, dim5: u32,
): i32 {
  let slice = inAxis(0, tuple, 0, depth, dim0)
  slice = inAxis(slice, tuple, 1, depth, dim1)
  slice = inAxis(slice, tuple, 2, depth, dim2)
  slice = inAxis(slice, tuple, 3, depth, dim3)
  slice = inAxis(slice, tuple, 4, depth, dim4)
  return inAxis(slice, tuple, 5, depth, dim5)
}

export function gatherNd(
  x: usize, indices: usize, y: usize, scratch: usize,
  batch: u32, count: u32, depth: u32, inner: u32, dim0: u32, dim1: u32, dim2: u32, dim3: u32, dim4: u32, dim5: u32,
): void {
  for (let b: u32 = 0; b < batch; b++) {
    for (let n: u32 = 0; n < count; n++) {
      const slice = sliceAt(indices, depth, dim0, dim1, dim2, dim3, dim4, dim5)
      if (slice < 0) fillNaN(y, inner)
      else copyRun(y, x + ((slice * inner) << 2), inner)
      indices += depth << 2
      y += inner << 2
    }
    x += (dim0 * dim1 * dim2 * dim3 * dim4 * dim5 * inner) << 2
  }
}
