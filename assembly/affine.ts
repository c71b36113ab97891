/**
 * affine: scale and shift by channel, with an activation.
 *
 * Shapes: x and y [outer, channels, inner], scale and shift [channels]. Params: src/compute/kernels/affine.ts. No scratch.
 * Numerics: two roundings on every machine.
 * Source: ONNX BatchNormalization in inference.
 */
import { activate, storeLanes } from './simd'

export function affine(
  x: usize, scale: usize, shift: usize, y: usize, scratch: usize,
  outer: u32, channels: u32, inner: u32, activation: u32, clipMin: f32, clipMax: f32,
): void {
  const low = f32x4.splat(clipMin), high = f32x4.splat(clipMax)
  for (let o: u32 = 0; o < outer; o++) {
    if (inner == 1) {
      for (let c: u32 = 0; c < channels; c += 4) {
        const at = c << 2
        const value = f32x4.add(f32x4.mul(v128.load(x + at), v128.load(scale + at)), v128.load(shift + at))
        storeLanes(y + at, activate(value, activation, low, high), channels - c)
      }
      x += channels << 2
      y += channels << 2
      continue
    }
    for (let c: u32 = 0; c < channels; c++) {
      const factor = v128.load32_splat(scale + (c << 2)), term = v128.load32_splat(shift + (c << 2))
      for (let i: u32 = 0; i < inner; i += 4) {
        const at = i << 2
        const value = f32x4.add(f32x4.mul(v128.load(x + at), factor), term)
        storeLanes(y + at, activate(value, activation, low, high), inner - i)
      }
      x += inner << 2
      y += inner << 2
    }
  }
}
