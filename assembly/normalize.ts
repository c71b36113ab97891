/**
 * normalize: every row to mean 0 and variance 1, then scaled and shifted by column.
 *
 * Shapes: x and y [outer, inner], scale and bias [inner]. Params: src/compute/kernels/normalize.ts. No scratch.
 * Numerics: four partial sums, then their sum with that of what remains; the variance from differences to the mean.
 * Source: ONNX LayerNormalization, InstanceNormalization, GroupNormalization.
 */
import { madd, storeLanes } from './simd'

// @ts-ignore: decorator
@inline
function addLanes(x: v128): f32 {
  const low = f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1)
  return low + (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3))
}

function meanOf(x: usize, count: u32): f32 {
  let sums = f32x4.splat(0), more = f32x4.splat(0)
  let i: u32 = 0
  for (; i + 8 <= count; i += 8) {
    sums = f32x4.add(sums, v128.load(x + (i << 2)))
    more = f32x4.add(more, v128.load(x + (i << 2), 16))
  }
  let rest: f32 = 0
  for (; i < count; i++) rest += load<f32>(x + (i << 2))
  return (addLanes(f32x4.add(sums, more)) + rest) / <f32>count
}

function varianceOf(x: usize, count: u32, mean: f32): f32 {
  const middle = f32x4.splat(mean)
  let sums = f32x4.splat(0), more = f32x4.splat(0)
  let i: u32 = 0
  for (; i + 8 <= count; i += 8) {
    const a = f32x4.sub(v128.load(x + (i << 2)), middle), b = f32x4.sub(v128.load(x + (i << 2), 16), middle)
    sums = madd(a, a, sums)
    more = madd(b, b, more)
  }
  let rest: f32 = 0
  for (; i < count; i++) {
    const a = load<f32>(x + (i << 2)) - mean
    rest += a * a
  }
  return (addLanes(f32x4.add(sums, more)) + rest) / <f32>count
}

export function normalize(
  x: usize, scale: usize, bias: usize, y: usize, scratch: usize,
  outer: u32, inner: u32, epsilon: f32, hasScale: u32, hasBias: u32,
): void {
  for (let o: u32 = 0; o < outer; o++) {
    const mean = meanOf(x, inner)
    const factor = f32x4.splat(1 / sqrt<f32>(varianceOf(x, inner, mean) + epsilon))
    const middle = f32x4.splat(mean)
    for (let i: u32 = 0; i < inner; i += 4) {
      const at = i << 2
      let value = f32x4.mul(f32x4.sub(v128.load(x + at), middle), factor)
      if (hasScale) value = f32x4.mul(value, v128.load(scale + at))
      if (hasBias) value = f32x4.add(value, v128.load(bias + at))
      storeLanes(y + at, value, inner - i)
    }
    x += inner << 2
    y += inner << 2
  }
}
