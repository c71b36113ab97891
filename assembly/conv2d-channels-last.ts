/**
 * conv2d-channels-last: convolution as a product of rows that are read where they lie (no copy of the image), or, of an image
 * of few channels, of rows of a framed copy in which a line of the kernel is one run.
 *
 * Shapes: x [batch, height, width, channels], residual and y [batch, outHeight, outWidth, filters], bias [filters]; w packed by
 *         src/compute/backends/wasm/packing.ts: for each group panels of its filters, rows in the order ky, kx, c
 *         (`conv2dChannelsLastUnpacked`: as ONNX has it). Params: src/compute/kernels/conv2d-channels-last.ts.
 * Scratch: an edge tile, zeros [as long as a pixel or a group's filters], addresses [16][taps][6], then a framed image, or the
 *         packed filters.
 * Numerics: one sum a lane from bias on, in the order ky, kx, c, fused where the machine fuses; zeros outside the image count;
 *         then + residual, then the activation.
 * Source: Dukhan, "The Indirect Convolution Algorithm", 2019.
 */
import { BLOCK_ROWS, EDGE_BYTES, highest, lowest, packPanels, panels, ROWS_BYTES } from './panels'

/** Pixels `xStride` and `yStride` floats apart, `channels` of them in one run; one group. */
function convolve(
  x: usize, w: usize, bias: usize, residual: usize, y: usize, edge: usize, zeros: usize, rows: usize,
  batch: u32, channels: u32, height: u32, width: u32, filters: u32, kernelH: u32, kernelW: u32, outHeight: u32, outWidth: u32,
  strideH: u32, strideW: u32, padTop: u32, padLeft: u32, dilationH: u32, dilationW: u32, xStride: u32, yStride: u32,
  low: f32, high: f32,
): void {
  const taps = kernelH * kernelW
  const pixels = batch * outHeight * outWidth
  const stride = yStride << 2
  const pitch = xStride << 2
  let n: u32 = 0, oy: u32 = 0, ox: u32 = 0
  for (let first: u32 = 0; first < pixels; first += BLOCK_ROWS) {
    const m = min(BLOCK_ROWS, pixels - first)
    let at = rows
    for (let i: u32 = 0; i < m; i += 6) {
      for (let r: u32 = 0; r < 6; r++) {
        let to = at + (r << 2)
        if (i + r >= m) {
          // Rows that fill the last tile up repeat the one before.
          for (let t: u32 = 0; t < taps; t++) {
            store<u32>(to, load<u32>(to - 4))
            to += 24
          }
          continue
        }
        const image = x + <usize>(n * height * width) * pitch
        for (let ky: u32 = 0; ky < kernelH; ky++) {
          const iy = oy * strideH + ky * dilationH - padTop
          for (let kx: u32 = 0; kx < kernelW; kx++) {
            const ix = ox * strideW + kx * dilationW - padLeft
            // Unsigned: what is left of or above the image is a huge number.
            store<u32>(to, <u32>(iy < height && ix < width ? image + <usize>(iy * width + ix) * pitch : zeros))
            to += 24
          }
        }
        if (++ox == outWidth) {
          ox = 0
          if (++oy == outHeight) {
            oy = 0
            n++
          }
        }
      }
      at += taps * 24
    }
    const skip = <usize>first * stride
    panels(rows, m, taps, channels, w, bias, residual ? residual + skip : 0, y + skip, filters, stride, low, high, edge)
  }
}

// @ts-ignore: decorator
@inline
function align(bytes: usize): usize {
  return (bytes + 63) & ~63
}

/** Bytes of a group's panels. */
function panelBytes(filters: u32, k: u32): usize {
  const rest = filters & 15
  return <usize>(((filters >> 4) * 16 + (rest == 0 ? 0 : rest <= 8 ? 8 : 16)) * k) << 2
}

export function conv2dChannelsLast(
  x: usize, w: usize, bias: usize, residual: usize, y: usize, scratch: usize,
  batch: u32, channels: u32, height: u32, width: u32, filters: u32, kernelH: u32, kernelW: u32, outHeight: u32, outWidth: u32,
  strideH: u32, strideW: u32, padTop: u32, padLeft: u32, dilationH: u32, dilationW: u32, groups: u32,
  hasBias: u32, hasResidual: u32, activation: u32, clipMin: f32, clipMax: f32,
): void {
  const perGroup = filters / groups, length = channels / groups
  const zeros = scratch + EDGE_BYTES
  const zeroBytes = align((max(length, perGroup) + 16) << 2)
  memory.fill(zeros, 0, zeroBytes)
  const rows = zeros + zeroBytes
  const groupBytes = panelBytes(perGroup, length * kernelH * kernelW)
  const low = lowest(activation, clipMin), high = highest(activation, clipMax)
  for (let g: u32 = 0; g < groups; g++) {
    const skip = (g * perGroup) << 2
    convolve(
      x + ((g * length) << 2), w + <usize>g * groupBytes, hasBias ? bias + skip : zeros, hasResidual ? residual + skip : 0, y + skip,
      scratch, zeros, rows, batch, length, height, width, perGroup, kernelH, kernelW, outHeight, outWidth,
      strideH, strideW, padTop, padLeft, dilationH, dilationW, channels, filters, low, high,
    )
  }
}

/** With filters [filters][channels / groups][kernelH][kernelW] that are made at run time. */
export function conv2dChannelsLastUnpacked(
  x: usize, w: usize, bias: usize, residual: usize, y: usize, scratch: usize,
  batch: u32, channels: u32, height: u32, width: u32, filters: u32, kernelH: u32, kernelW: u32, outHeight: u32, outWidth: u32,
  strideH: u32, strideW: u32, padTop: u32, padLeft: u32, dilationH: u32, dilationW: u32, groups: u32,
  hasBias: u32, hasResidual: u32, activation: u32, clipMin: f32, clipMax: f32,
): void {
  const perGroup = filters / groups, length = channels / groups, taps = kernelH * kernelW
  const k = length * taps
  const packed = scratch + EDGE_BYTES + align((max(length, perGroup) + 16) << 2) + <usize>taps * ROWS_BYTES
  const turned = packed + <usize>groups * panelBytes(perGroup, k)
  let to = packed
  for (let g: u32 = 0; g < groups; g++) {
    // [filter][c][tap] -> [filter][tap][c], then panels.
    for (let f: u32 = 0; f < perGroup; f++) {
      for (let c: u32 = 0; c < length; c++) {
        for (let t: u32 = 0; t < taps; t++) {
          store<f32>(turned + ((f * k + t * length + c) << 2), load<f32>(w))
          w += 4
        }
      }
    }
    to = packPanels(turned, to, k, perGroup, 1, k)
  }
  conv2dChannelsLast(
    x, packed, bias, residual, y, scratch, batch, channels, height, width, filters, kernelH, kernelW, outHeight, outWidth,
    strideH, strideW, padTop, padLeft, dilationH, dilationW, groups, hasBias, hasResidual, activation, clipMin, clipMax,
  )
}

/**
 * For images of few channels (one group, columns not dilated): each goes into a frame of zeros, where a line of the kernel is
 * one run of kernelW * channels values. The same sums in the same order.
 */
export function conv2dChannelsLastFramed(
  x: usize, w: usize, bias: usize, residual: usize, y: usize, scratch: usize,
  batch: u32, channels: u32, height: u32, width: u32, filters: u32, kernelH: u32, kernelW: u32, outHeight: u32, outWidth: u32,
  strideH: u32, strideW: u32, padTop: u32, padLeft: u32, dilationH: u32, dilationW: u32, groups: u32,
  hasBias: u32, hasResidual: u32, activation: u32, clipMin: f32, clipMax: f32,
): void {
  const zeros = scratch + EDGE_BYTES
  const zeroBytes = align((filters + 16) << 2)
  memory.fill(zeros, 0, zeroBytes)
  const rows = zeros + zeroBytes
  const frame = rows + <usize>kernelH * ROWS_BYTES
  const frameHeight = (outHeight - 1) * strideH + (kernelH - 1) * dilationH + 1
  const frameWidth = (outWidth - 1) * strideW + kernelW
  const pixel = channels << 2
  const low = lowest(activation, clipMin), high = highest(activation, clipMax)
  memory.fill(frame, 0, <usize>(frameHeight * frameWidth) * pixel)
  const lines = frameHeight > padTop ? min(height, frameHeight - padTop) : 0
  const run = frameWidth > padLeft ? min(width, frameWidth - padLeft) * pixel : 0
  const image = <usize>(height * width) * pixel
  const result = <usize>(outHeight * outWidth * filters) << 2
  for (let n: u32 = 0; n < batch; n++) {
    for (let iy: u32 = 0; iy < lines; iy++) {
      memory.copy(frame + ((iy + padTop) * frameWidth + padLeft) * pixel, x + <usize>(iy * width) * pixel, run)
    }
    convolve(
      frame, w, hasBias ? bias : zeros, hasResidual ? residual + <usize>n * result : 0, y + <usize>n * result, scratch, zeros, rows,
      1, kernelW * channels, frameHeight, frameWidth, filters, kernelH, 1, outHeight, outWidth,
      strideH, strideW, 0, 0, dilationH, 1, channels, filters, low, high,
    )
    x += image
  }
}
