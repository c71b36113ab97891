/**
 * gather: slices of a tensor, chosen by a list of places along one axis.
 *
 * Shapes: x [outer, axis, inner], indices [count], y [outer, count, inner]. Params: src/compute/kernels/gather.ts. No scratch.
 * Numerics: bits are kept; an index outside gives NaN and never a read outside.
 * Source: ONNX Gather.
 */

/** An index as a place along an axis of `size`, counted from either end; -1 where it lies outside or is NaN. */
// @ts-ignore: decorator
@inline
export function wrapIndex(index: f32, size: u32): i32 {
  if (!(index >= -<f32>size && index < <f32>size)) return -1
  const place = <i32>index
  return place < 0 ? place + <i32>size : place
}

/** `count` elements from one place to another; short runs are not worth a call of memory.copy. */
// @ts-ignore: decorator
@inline
export function copyRun(to: usize, from: usize, count: u32): void {
  if (count > 8) {
    memory.copy(to, from, count << 2)
  } else {
    for (let i: u32 = 0; i < count; i++) store<u32>(to + (i << 2), load<u32>(from + (i << 2)))
  }
}

export function fillNaN(to: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) store<f32>(to + (i << 2), NaN)
}

export function gather(
  x: usize, indices: usize, y: usize, scratch: usize, outer: u32, axis: u32, inner: u32, count: u32,
): void {
  for (let o: u32 = 0; o < outer; o++) {
    for (let n: u32 = 0; n < count; n++) {
      const place = wrapIndex(load<f32>(indices + (n << 2)), axis)
      if (place < 0) fillNaN(y, inner)
      else copyRun(y, x + ((place * inner) << 2), inner)
      y += inner << 2
    }
    x += (axis * inner) << 2
  }
}
