/**
 * gather-elements: elements of a tensor, each chosen by its own place along one axis.
 *
 * Shapes: x [dim0, …, dim5], indices and y [index0, …, index5]. Params: src/compute/kernels/gather-elements.ts. No scratch.
 * Numerics: bits are kept; an index outside gives NaN and never a read outside.
 * Source: ONNX GatherElements.
 */
import { wrapIndex } from './gather'

export function gatherElements(
  x: usize, indices: usize, y: usize, scratch: usize,
  dim0: u32, dim1: u32, dim2: u32, dim3: u32, dim4: u32, dim5: u32,
  index0: u32, index1: u32, index2: u32, index3: u32, index4: u32, index5: u32, axis: u32,
): void {
  // Strides in x; the one of the axis goes with the index instead of the position.
  const s4 = dim5, s3 = s4 * dim4, s2 = s3 * dim3, s1 = s2 * dim2, s0 = s1 * dim1
  const w0 = axis == 0 ? 0 : s0, w1 = axis == 1 ? 0 : s1, w2 = axis == 2 ? 0 : s2
  const w3 = axis == 3 ? 0 : s3, w4 = axis == 4 ? 0 : s4, w5: u32 = axis == 5 ? 0 : 1
  const size = axis == 0 ? dim0 : axis == 1 ? dim1 : axis == 2 ? dim2 : axis == 3 ? dim3 : axis == 4 ? dim4 : dim5
  const stride = axis == 0 ? s0 : axis == 1 ? s1 : axis == 2 ? s2 : axis == 3 ? s3 : axis == 4 ? s4 : 1
  for (let i0: u32 = 0; i0 < index0; i0++) {
    for (let i1: u32 = 0; i1 < index1; i1++) {
      for (let i2: u32 = 0; i2 < index2; i2++) {
        for (let i3: u32 = 0; i3 < index3; i3++) {
          for (let i4: u32 = 0; i4 < index4; i4++) {
            let from = i0 * w0 + i1 * w1 + i2 * w2 + i3 * w3 + i4 * w4
            for (let i5: u32 = 0; i5 < index5; i5++) {
              const place = wrapIndex(load<f32>(indices), size)
              if (place < 0) store<f32>(y, NaN)
              else store<u32>(y, load<u32>(x + ((from + place * stride) << 2)))
              from += w5
              indices += 4
              y += 4
            }
          }
        }
      }
    }
  }
}
