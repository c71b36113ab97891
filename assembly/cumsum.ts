/**
 * cumsum: running sums along an axis.
 *
 * Shapes: x and y [outer, axis, inner]. Params: src/compute/kernels/cumsum.ts. No scratch.
 * Numerics: one sum in the order of the axis (of its reverse), four neighbouring lines at a time.
 * Source: ONNX CumSum.
 */
import { storeLanes } from './simd'

export function cumsum(x: usize, y: usize, scratch: usize, outer: u32, axis: u32, inner: u32, exclusive: u32, reverse: u32): void {
  const step = inner << 2
  for (let o: u32 = 0; o < outer; o++) {
    for (let i: u32 = 0; i < inner; i += 4) {
      let sum = f32x4.splat(0)
      for (let n: u32 = 0; n < axis; n++) {
        const at = (reverse ? axis - 1 - n : n) * step + (i << 2)
        const next = f32x4.add(sum, v128.load(x + at))
        storeLanes(y + at, exclusive ? sum : next, inner - i)
        sum = next
      }
    }
    x += axis * step
    y += axis * step
  }
}
