/**
 * scatter-elements: a tensor with some of its elements replaced or combined, each at its own place along one axis.
 *
 * Shapes: x and y [dim0, …, dim5], indices and updates [index0, …, index5]. Params: src/compute/kernels/scatter-elements.ts.
 *         No scratch.
 * Numerics: each step rounds, in row-major order of the updates; an update whose index is outside is dropped.
 * Source: ONNX ScatterElements.
 */
import { wrapIndex } from './gather'

const REDUCTION_NONE: u32 = 0
const REDUCTION_ADD: u32 = 1
const REDUCTION_MUL: u32 = 2
const REDUCTION_MAX: u32 = 3

/** Replaces an element, or combines it with the update. */
// @ts-ignore: decorator
@inline
export function combine(reduction: u32, to: usize, update: usize): void {
  if (reduction == REDUCTION_NONE) {
    store<u32>(to, load<u32>(update))
    return
  }
  const old = load<f32>(to), value = load<f32>(update)
  if (reduction == REDUCTION_ADD) store<f32>(to, old + value)
  else if (reduction == REDUCTION_MUL) store<f32>(to, old * value)
  else store<f32>(to, reduction == REDUCTION_MAX ? max<f32>(old, value) : min<f32>(old, value))
}

export function scatterElements(
  x: usize, indices: usize, updates: usize, y: usize, scratch: usize,
  dim0: u32, dim1: u32, dim2: u32, dim3: u32, dim4: u32, dim5: u32,
  index0: u32, index1: u32, index2: u32, index3: u32, index4: u32, index5: u32, axis: u32, reduction: u32,
): void {
  memory.copy(y, x, (dim0 * dim1 * dim2 * dim3 * dim4 * dim5) << 2)
  // Strides in y; the one of the axis goes with the index instead of the position.
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
            let to = i0 * w0 + i1 * w1 + i2 * w2 + i3 * w3 + i4 * w4
            for (let i5: u32 = 0; i5 < index5; i5++) {
              const place = wrapIndex(load<f32>(indices), size)
              if (place >= 0) combine(reduction, y + ((to + place * stride) << 2), updates)
              to += w5
              indices += 4
              updates += 4
            }
          }
        }
      }
    }
  }
}
