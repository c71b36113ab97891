/**
 * lrn: each element divided by a power of the squares of its neighbouring channels.
 *
 * Shapes: x and y [outer, channels, inner]. Params: src/compute/kernels/lrn.ts. No scratch.
 * Numerics: the sum in the order of the channels; the power 3/4 by two square roots, others through double precision.
 * Source: ONNX LRN.
 */
import { pow64 } from './double'
import { madd, storeLanes } from './simd'

// @ts-ignore: decorator
@inline
function power(base: f32, beta: f32): f32 {
  return <f32>pow64(<f64>base, <f64>beta)
}

function powers(base: v128, beta: f32): v128 {
  if (beta == 0.75) {
    const root = f32x4.sqrt(base)
    return f32x4.mul(root, f32x4.sqrt(root))
  }
  let result = f32x4.splat(power(f32x4.extract_lane(base, 0), beta))
  result = f32x4.replace_lane(result, 1, power(f32x4.extract_lane(base, 1), beta))
  result = f32x4.replace_lane(result, 2, power(f32x4.extract_lane(base, 2), beta))
  return f32x4.replace_lane(result, 3, power(f32x4.extract_lane(base, 3), beta))
}

export function lrn(
  x: usize, y: usize, scratch: usize, outer: u32, channels: u32, inner: u32, size: u32, alpha: f32, beta: f32, bias: f32,
): void {
  const before = (size - 1) / 2, after = size / 2
  const step = inner << 2
  const factor = f32x4.splat(alpha / <f32>size), term = f32x4.splat(bias)
  for (let o: u32 = 0; o < outer; o++) {
    for (let c: u32 = 0; c < channels; c++) {
      const first = c > before ? c - before : 0
      const end = min(channels, c + after + 1)
      for (let i: u32 = 0; i < inner; i += 4) {
        const at = c * step + (i << 2)
        let squares = f32x4.splat(0)
        for (let d = first; d < end; d++) {
          const value = v128.load(x + d * step + (i << 2))
          squares = madd(value, value, squares)
        }
        const base = f32x4.add(f32x4.mul(factor, squares), term)
        storeLanes(y + at, f32x4.div(v128.load(x + at), powers(base, beta)), inner - i)
      }
    }
    x += channels * step
    y += channels * step
  }
}
