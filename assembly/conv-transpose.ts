/**
 * conv-transpose: the transpose of a convolution with 1 to 3 spatial axes, with bias and activation.
 *
 * Shapes: x [batch, channels, depth, height, width], w [channels, filters/groups, kernelD, kernelH, kernelW],
 *         y [batch, filters, outDepth, outHeight, outWidth]. Params: src/compute/kernels/conv-transpose.ts.
 *         Scratch: offsets [k], six rows of w [k][6], k = channels/groups, then the products [taps][volume] of one filter.
 * Numerics: for each tap one sum in the order of c, fused where the machine fuses; these in the order kz, ky, kx; + bias;
 *           the activation.
 * Source: ONNX ConvTranspose, as a matrix product and the placing of its rows (col2im).
 */
import { activate, storeLanes } from './simd'
import { TILE_COLUMNS, TILE_ROWS, tile } from './tile'

// @ts-ignore: decorator
@inline
function align(bytes: u32): u32 {
  return (bytes + 63) & ~63
}

/** Columns of w by stride -> [k][rows]. */
function packA(from: usize, to: usize, rows: u32, k: u32, strideK: u32): void {
  for (let r: u32 = 0; r < rows; r++) {
    let at = to + (r << 2)
    let source = from + (r << 2)
    for (let l: u32 = 0; l < k; l++) {
      store<f32>(at, load<f32>(source))
      source += strideK << 2
      at += rows << 2
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

/** All taps of one filter with all pixels of one image: [rows][k] x [k][volume]. */
function product(
  image: usize, w: usize, strideC: u32, offsets: usize, rowsAt: usize, y: usize, rows: u32, k: u32, volume: u32,
): void {
  const none = f32x4.splat(0)
  for (let i: u32 = 0; i < rows; i += TILE_ROWS) {
    const height = min(TILE_ROWS, rows - i)
    packA(w + (i << 2), rowsAt, height, k, strideC)
    for (let j: u32 = 0; j < volume; j += TILE_COLUMNS) {
      const columns = min(TILE_COLUMNS, volume - j)
      const at = y + ((i * volume + j) << 2)
      tile(height, k, rowsAt, image + (j << 2), offsets, at, volume << 2, columns, 0, 0, 0, 0, 0, 0, none, none)
    }
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
  const offsets = scratch
  const rowsAt = offsets + align(k << 2)
  const products = rowsAt + align((k * TILE_ROWS) << 2)
  for (let c: u32 = 0; c < k; c++) store<u32>(offsets + (c << 2), (c * volume) << 2)
  for (let n: u32 = 0; n < batch; n++) {
    for (let f: u32 = 0; f < filters; f++) {
      const first = (f / filtersPerGroup) * k
      const weights = w + ((first * filtersPerGroup + (f % filtersPerGroup)) * taps << 2)
      const image = x + (((n * channels + first) * volume) << 2)
      product(image, weights, filtersPerGroup * taps, offsets, rowsAt, products, taps, k, volume)
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
