/**
 * conv-transpose: the transpose of a convolution with 1 to 3 spatial axes, with bias and activation.
 *
 * Shapes: x [batch, channels, depth, height, width], w [channels, filters/groups, kernelD, kernelH, kernelW],
 *         y [batch, filters, outDepth, outHeight, outWidth]. Params: src/compute/kernels/conv-transpose.ts. No scratch.
 * Numerics: one sum in the order c, kz, ky, kx, fused where the machine fuses; + bias; the activation.
 * Source: ONNX ConvTranspose. Each tap adds lines of x, one weight times, to lines of y, which stay in cache.
 */
import { activate, madd, storeLanes } from './simd'

/** The first source from which the tap at `shift` (position = source * stride + shift) is not below 0. */
// @ts-ignore: decorator
@inline
function firstSource(shift: i32, stride: i32): i32 {
  return shift >= 0 ? 0 : (stride - 1 - shift) / stride
}

/** One past the last source that reaches a position below `size`. */
// @ts-ignore: decorator
@inline
function endSource(shift: i32, stride: i32, size: i32, sources: i32): i32 {
  return size <= shift ? 0 : min(sources, (size - shift + stride - 1) / stride)
}

/** y[i * stride] += weight * x[i] for i below `count`. */
// @ts-ignore: decorator
@inline
function addLine(x: usize, y: usize, weight: v128, count: i32, stride: i32): void {
  if (stride == 1) {
    for (let i: i32 = 0; i < count; i += 4) {
      const at = i << 2
      storeLanes(y + at, madd(weight, v128.load(x + at), v128.load(y + at)), count - i)
    }
    return
  }
  const step = stride << 2
  for (let i: i32 = 0; i < count; i++) {
    const sum = madd(weight, v128.load32_zero(x + (i << 2)), v128.load32_zero(y))
    store<f32>(y, f32x4.extract_lane(sum, 0))
    y += step
  }
}

export function convTranspose(
  x: usize, w: usize, bias: usize, y: usize, scratch: usize,
  batch: u32, channels: u32, depth: i32, height: i32, width: i32, filters: u32, kernelD: i32, kernelH: i32, kernelW: i32,
  outDepth: i32, outHeight: i32, outWidth: i32, strideD: i32, strideH: i32, strideW: i32, padFront: i32, padTop: i32, padLeft: i32,
  dilationD: i32, dilationH: i32, dilationW: i32, groups: u32, hasBias: u32, activation: u32, clipMin: f32, clipMax: f32,
): void {
  const low = f32x4.splat(clipMin), high = f32x4.splat(clipMax)
  const channelsPerGroup = channels / groups, filtersPerGroup = filters / groups
  const plane = height * width, volume = depth * plane
  const outPlane = outHeight * outWidth, outVolume = outDepth * outPlane
  const taps = kernelD * kernelH * kernelW
  for (let n: u32 = 0; n < batch; n++) {
    for (let f: u32 = 0; f < filters; f++) {
      memory.fill(y, 0, outVolume << 2)
      const firstChannel = (f / filtersPerGroup) * channelsPerGroup
      for (let c = firstChannel; c < firstChannel + channelsPerGroup; c++) {
        const image = x + (((n * channels + c) * volume) << 2)
        let weight = w + (((c * filtersPerGroup + (f % filtersPerGroup)) * taps) << 2)
        for (let kz = 0; kz < kernelD; kz++) {
          const shiftZ = kz * dilationD - padFront
          const z1 = endSource(shiftZ, strideD, outDepth, depth)
          for (let ky = 0; ky < kernelH; ky++) {
            const shiftY = ky * dilationH - padTop
            const y1 = endSource(shiftY, strideH, outHeight, height)
            for (let kx = 0; kx < kernelW; kx++) {
              const shiftX = kx * dilationW - padLeft
              const x0 = firstSource(shiftX, strideW)
              const count = endSource(shiftX, strideW, outWidth, width) - x0
              const factor = v128.load32_splat(weight)
              weight += 4
              for (let iz = firstSource(shiftZ, strideD); iz < z1; iz++) {
                for (let iy = firstSource(shiftY, strideH); iy < y1; iy++) {
                  const from = image + ((iz * plane + iy * width + x0) << 2)
                  const row = (iz * strideD + shiftZ) * outPlane + (iy * strideH + shiftY) * outWidth
                  addLine(from, y + ((row + x0 * strideW + shiftX) << 2), factor, count, strideW)
                }
              }
            }
          }
        }
      }
      const term = hasBias ? v128.load32_splat(bias + (f << 2)) : f32x4.splat(0)
      for (let i: i32 = 0; i < outVolume; i += 4) {
        storeLanes(y + (i << 2), activate(f32x4.add(v128.load(y + (i << 2)), term), activation, low, high), outVolume - i)
      }
      y += outVolume << 2
    }
  }
}
