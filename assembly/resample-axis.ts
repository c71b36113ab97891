/**
 * resample-axis: one axis of a tensor at another length, every element a weighted sum of a few.
 *
 * Shapes: x [outer, size, inner], indices and weights [outSize, taps], y [outer, outSize, inner].
 * Params: src/compute/kernels/resample-axis.ts. No scratch.
 * Numerics: one sum in the order of the taps, fused where the machine fuses; a tap of weight 0 is skipped.
 * Source: ONNX Resize, Upsample.
 */
import { madd, storeLanes } from './simd'

export function resampleAxis(
  x: usize, indices: usize, weights: usize, y: usize, scratch: usize,
  outer: u32, size: u32, inner: u32, outSize: u32, taps: u32, fill: f32,
): void {
  const filled = f32x4.splat(fill)
  for (let o: u32 = 0; o < outer; o++) {
    for (let n: u32 = 0; n < outSize; n++) {
      const first = indices + ((n * taps) << 2), factors = weights + ((n * taps) << 2)
      const outside = load<f32>(first) < 0
      for (let i: u32 = 0; i < inner; i += 4) {
        let sum = f32x4.splat(0)
        for (let t: u32 = 0; t < taps && !outside; t++) {
          if (load<f32>(factors + (t << 2)) == 0) continue
          const from = <u32>load<f32>(first + (t << 2)) * inner + i
          sum = madd(v128.load32_splat(factors + (t << 2)), v128.load(x + (from << 2)), sum)
        }
        storeLanes(y + (i << 2), outside ? filled : sum, inner - i)
      }
      y += inner << 2
    }
    x += (size * inner) << 2
  }
}
