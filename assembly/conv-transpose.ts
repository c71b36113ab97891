/**
 * conv-transpose: the transpose of a convolution with 1 to 3 spatial axes, with bias and activation.
 *
 * Shapes: x [batch, channels, depth, height, width], w [channels, filters/groups, kernelD, kernelH, kernelW],
 *         y [batch, filters, outDepth, outHeight, outWidth]. Params: src/compute/kernels/conv-transpose.ts.
 *         Scratch, with k = channels/groups: an edge tile, zeros [volume], addresses, the panels of one image's group, one filter's
 *         weights [taps][k] and its products [taps][volume].
 * Numerics: for each tap one sum in the order of c, fused where the machine fuses; these in the order kz, ky, kx; + bias;
 *           the activation.
 * Source: ONNX ConvTranspose, as a matrix product and the placing of its rows (col2im).
 */
import { EDGE_BYTES, packPanels, product, ROWS_BYTES } from './panels'
import { activate, storeLanes } from './simd'

// @ts-ignore: decorator
@inline
function align(bytes: u32): u32 {
  return (bytes + 63) & ~63
}

/** One filter's weights [k][taps], `strideC` floats from one channel to the next -> [taps][k]. */
function turn(from: usize, to: usize, taps: u32, k: u32, strideC: u32): void {
  for (let tap: u32 = 0; tap < taps; tap++) {
    let at = from + (tap << 2)
    for (let c: u32 = 0; c < k; c++) {
      store<f32>(to, load<f32>(at))
      at += strideC << 2
      to += 4
    }
  }
}

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

/** y[i * stride] += x[i] for i below `count`. */
// @ts-ignore: decorator
@inline
function addLine(x: usize, y: usize, count: i32, stride: i32): void {
  if (stride == 1) {
    let i: i32 = 0
    for (; i + 4 <= count; i += 4) v128.store(y + (i << 2), f32x4.add(v128.load(y + (i << 2)), v128.load(x + (i << 2))))
    for (; i < count; i++) store<f32>(y + (i << 2), load<f32>(y + (i << 2)) + load<f32>(x + (i << 2)))
    return
  }
  const step = stride << 2
  for (let i: i32 = 0; i < count; i++) {
    store<f32>(y, load<f32>(y) + load<f32>(x + (i << 2)))
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
  const k = channels / groups, filtersPerGroup = filters / groups
  const plane = height * width, volume = depth * plane
  const outPlane = outHeight * outWidth, outVolume = outDepth * outPlane
  const taps = kernelD * kernelH * kernelW
  const zeros = scratch + EDGE_BYTES
  const rows = zeros + align((volume + 16) << 2)
  memory.fill(zeros, 0, rows - zeros)
  const packed = rows + ROWS_BYTES
  const weights = packed + align((((volume + 15) & ~15) * k) << 2)
  const products = weights + align((taps * k) << 2)
  for (let n: u32 = 0; n < batch; n++) {
    for (let f: u32 = 0; f < filters; f++) {
      const first = (f / filtersPerGroup) * k
      if (f % filtersPerGroup == 0) packPanels(x + (((n * channels + first) * volume) << 2), packed, k, volume, volume, 1)
      turn(w + ((first * filtersPerGroup + (f % filtersPerGroup)) * taps << 2), weights, taps, k, filtersPerGroup * taps)
      product(weights, k << 2, packed, zeros, 0, products, volume << 2, taps, volume, k, -Infinity, Infinity, scratch, rows)
      memory.fill(y, 0, outVolume << 2)
      let from = products
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
            for (let iz = firstSource(shiftZ, strideD); iz < z1; iz++) {
              for (let iy = firstSource(shiftY, strideH); iy < y1; iy++) {
                const row = (iz * strideD + shiftZ) * outPlane + (iy * strideH + shiftY) * outWidth
                addLine(from + ((iz * plane + iy * width + x0) << 2), y + ((row + x0 * strideW + shiftX) << 2), count, strideW)
              }
            }
            from += volume << 2
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
