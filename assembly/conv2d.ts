/**
 * conv2d: two-dimensional convolution with bias, residual and activation in the epilogue.
 *
 * Shapes: x [batch, channels, height, width], y and residual [batch, filters, outHeight, outWidth]; w packed by the host:
 *         for each group panels of 6 filters [channels/groups * kernelH * kernelW][6], the last as wide as what remains.
 * Params: src/compute/kernels/conv2d.ts. Scratch: offsets [taps], then one padded image [channels][rows][columns] where
 *         there is padding, then a block of pixel panels [taps][8] where pixels are not read in place.
 * Numerics: one sum in the order c, ky, kx, fused where the machine fuses, zeros of the padding included; + bias; + residual.
 * Source: ONNX Conv. Pixels are read in place ("indirect" after Dukhan, "The Indirect Convolution Algorithm", 2019): for
 *         stride 1 each tap is the image at another offset. Other strides gather panels (im2col).
 */
import { activate, madd, storeLanes } from './simd'
import { TILE_COLUMNS, TILE_ROWS, tile } from './tile'

/** Interleaves rows of a row-major matrix: [rows][k] -> [k][rows]. */
function packRows(from: usize, to: usize, rows: u32, k: u32): void {
  for (let r: u32 = 0; r < rows; r++) {
    let at = to + (r << 2)
    for (let l: u32 = 0; l < k; l++) {
      store<f32>(at, load<f32>(from))
      from += 4
      at += rows << 2
    }
  }
}

/** Bytes of image, or of gathered panels, that are kept in cache while all filters pass over them. */
const BLOCK_BYTES: u32 = 128 * 1024

// @ts-ignore: decorator
@inline
function align(bytes: u32): u32 {
  return (bytes + 63) & ~63
}

/** Copies one image into the middle of zeros: rows x columns as far as the taps reach. */
function padImage(
  from: usize, to: usize, channels: u32, height: u32, width: u32, rows: u32, columns: u32, top: u32, left: u32,
): void {
  memory.fill(to, 0, (channels * rows * columns) << 2)
  const copied = min(width, columns > left ? columns - left : 0)
  for (let c: u32 = 0; c < channels; c++) {
    for (let r: u32 = 0; r < height && r + top < rows; r++) {
      memory.copy(to + (((c * rows + r + top) * columns + left) << 2), from + (((c * height + r) * width) << 2), copied << 2)
    }
  }
}

/** Gathers `count` (1 to 8) output pixels from number `first` on as a panel [taps][8]; missing ones are zeros. */
function gather(
  image: usize, to: usize, offsets: usize, taps: u32, first: u32, count: u32, outWidth: u32, strideH: u32, strideW: u32, columns: u32,
): void {
  for (let j: u32 = 0; j < TILE_COLUMNS; j++) {
    const pixel = first + j
    const oy = pixel / outWidth
    const from = image + ((oy * strideH * columns + (pixel - oy * outWidth) * strideW) << 2)
    let at = to + (j << 2)
    if (j < count) {
      for (let t: u32 = 0; t < taps; t++) {
        store<f32>(at, load<f32>(from + load<u32>(offsets + (t << 2))))
        at += TILE_COLUMNS << 2
      }
    } else {
      for (let t: u32 = 0; t < taps; t++) {
        store<f32>(at, 0)
        at += TILE_COLUMNS << 2
      }
    }
  }
}

export function conv2d(
  x: usize, w: usize, bias: usize, residual: usize, y: usize, scratch: usize,
  batch: u32, channels: u32, height: u32, width: u32, filters: u32, kernelH: u32, kernelW: u32, outHeight: u32, outWidth: u32,
  strideH: u32, strideW: u32, padTop: u32, padLeft: u32, dilationH: u32, dilationW: u32, groups: u32,
  hasBias: u32, hasResidual: u32, activation: u32, clipMin: f32, clipMax: f32,
): void {
  const low = f32x4.splat(clipMin), high = f32x4.splat(clipMax)
  const channelsPerGroup = channels / groups, filtersPerGroup = filters / groups
  const taps = channelsPerGroup * kernelH * kernelW
  // As far as the taps reach; what of the image lies beyond is never read.
  const rows = (outHeight - 1) * strideH + (kernelH - 1) * dilationH + 1
  const columns = (outWidth - 1) * strideW + (kernelW - 1) * dilationW + 1
  const inPlace = !padTop && !padLeft && rows <= height && columns <= width
  const imageRows = inPlace ? height : rows
  const imageColumns = inPlace ? width : columns
  const offsets = scratch
  const padded = scratch + align(taps << 2)
  const panels = padded + (inPlace ? 0 : align((channels * rows * columns) << 2) + 64)

  let at = offsets
  for (let c: u32 = 0; c < channelsPerGroup; c++) {
    for (let ky: u32 = 0; ky < kernelH; ky++) {
      for (let kx: u32 = 0; kx < kernelW; kx++) {
        store<u32>(at, ((c * imageRows + ky * dilationH) * imageColumns + kx * dilationW) << 2)
        at += 4
      }
    }
  }
  const plane = outHeight * outWidth
  // Its vectors reach 3 strides beyond the last pixel, for which the host's slack must suffice.
  const depthwise = channelsPerGroup == 1 && filtersPerGroup == 1 && strideW <= 8
  // One row of all pixels where a tap is one pixel; rows of at least a tile where the taps overlap.
  const flat = kernelH == 1 && kernelW == 1 && imageColumns == outWidth && strideH == 1 && strideW == 1
  const direct = strideW == 1 && (flat || outWidth >= TILE_COLUMNS)

  for (let n: u32 = 0; n < batch; n++) {
    let image = x + ((n * channels * height * width) << 2)
    if (!inPlace) {
      padImage(image, padded, channels, height, width, rows, columns, padTop, padLeft)
      image = padded
    }
    for (let g: u32 = 0; g < groups; g++) {
      const part = image + ((g * channelsPerGroup * imageRows * imageColumns) << 2)
      const first = (n * filters + g * filtersPerGroup) * plane
      const out = y + (first << 2)
      const rest = residual ? residual + (first << 2) : 0
      const groupBias = bias ? bias + ((g * filtersPerGroup) << 2) : 0
      const weights = w + ((g * filtersPerGroup * taps) << 2)
      if (depthwise) {
        depthwisePlane(part, weights, offsets, groupBias, rest, out, taps, outHeight, outWidth, strideH, strideW, imageColumns, activation, low, high)
      } else if (direct) {
        const lines = flat ? 1 : outHeight
        const length = flat ? plane : outWidth
        inPlaceGroup(part, weights, offsets, groupBias, rest, out, taps, filtersPerGroup, plane, lines, length, (imageColumns * strideH) << 2, channelsPerGroup, activation, low, high)
      } else {
        gatheredGroup(part, weights, offsets, groupBias, rest, out, panels, taps, filtersPerGroup, plane, outWidth, strideH, strideW, imageColumns, activation, low, high)
      }
    }
  }
}

/** Stride 1: tiles of 8 pixels of a line, read where they lie. */
function inPlaceGroup(
  image: usize, w: usize, offsets: usize, bias: usize, residual: usize, y: usize, taps: u32, filters: u32, plane: u32,
  lines: u32, length: u32, lineBytes: u32, channels: u32, activation: u32, low: v128, high: v128,
): void {
  // A block of lines, or of one long line, that stays in cache while all filters pass.
  const span = min(length, max<u32>(TILE_COLUMNS, (BLOCK_BYTES / (channels << 2)) & ~(TILE_COLUMNS - 1)))
  const height = max<u32>(1, BLOCK_BYTES / max<u32>(1, channels * min(lineBytes, length << 3)))
  for (let line0: u32 = 0; line0 < lines; line0 += height) {
    const line1 = min(lines, line0 + height)
    for (let start: u32 = 0; start < length; start += span) {
      const end = min(length, start + span)
      for (let f: u32 = 0; f < filters; f += TILE_ROWS) {
        const rows = min(TILE_ROWS, filters - f)
        const panel = w + ((f * taps) << 2)
        const rowBias = bias ? bias + (f << 2) : 0
        for (let line = line0; line < line1; line++) {
          for (let j = start; j < end; j += TILE_COLUMNS) {
            const at = (f * plane + line * length + j) << 2
            tile(
              rows, taps, panel, image + line * lineBytes + (j << 2), offsets, y + at, plane << 2, min(TILE_COLUMNS, end - j),
              rowBias, 4, 0, 0, residual ? residual + at : 0, activation, low, high,
            )
          }
        }
      }
    }
  }
}

/** Any stride: pixels gathered into panels, a block of panels at a time. */
function gatheredGroup(
  image: usize, w: usize, offsets: usize, bias: usize, residual: usize, y: usize, panels: usize, taps: u32, filters: u32,
  plane: u32, outWidth: u32, strideH: u32, strideW: u32, columns: u32, activation: u32, low: v128, high: v128,
): void {
  const panelBytes = (taps * TILE_COLUMNS) << 2
  const block = max<u32>(1, BLOCK_BYTES / panelBytes) * TILE_COLUMNS
  // A panel is a matrix of its own: its rows follow each other.
  const inPanel = panels
  for (let t: u32 = 0; t < taps; t++) store<u32>(inPanel + (t << 2), (t * TILE_COLUMNS) << 2)
  const gathered = panels + align(taps << 2)
  for (let start: u32 = 0; start < plane; start += block) {
    const end = min(plane, start + block)
    let to = gathered
    for (let j = start; j < end; j += TILE_COLUMNS) {
      gather(image, to, offsets, taps, j, min(TILE_COLUMNS, end - j), outWidth, strideH, strideW, columns)
      to += panelBytes
    }
    for (let f: u32 = 0; f < filters; f += TILE_ROWS) {
      const rows = min(TILE_ROWS, filters - f)
      const rowBias = bias ? bias + (f << 2) : 0
      let from = gathered
      for (let j = start; j < end; j += TILE_COLUMNS) {
        const at = (f * plane + j) << 2
        tile(
          rows, taps, w + ((f * taps) << 2), from, inPanel, y + at, plane << 2, min(TILE_COLUMNS, end - j),
          rowBias, 4, 0, 0, residual ? residual + at : 0, activation, low, high,
        )
        from += panelBytes
      }
    }
  }
}

/** One channel, one filter: 4 pixels of a line at a time. */
function depthwisePlane(
  image: usize, w: usize, offsets: usize, bias: usize, residual: usize, y: usize, taps: u32, outHeight: u32, outWidth: u32,
  strideH: u32, strideW: u32, columns: u32, activation: u32, low: v128, high: v128,
): void {
  const step = strideW << 2
  for (let oy: u32 = 0; oy < outHeight; oy++) {
    const line = image + ((oy * strideH * columns) << 2)
    for (let ox: u32 = 0; ox < outWidth; ox += 4) {
      const base = line + ox * step
      let sum = f32x4.splat(0)
      for (let t: u32 = 0; t < taps; t++) {
        const from = base + load<u32>(offsets + (t << 2))
        let pixels: v128
        if (strideW == 1) {
          pixels = v128.load(from)
        } else {
          pixels = v128.load32_zero(from)
          pixels = v128.load_lane<f32>(from + step, pixels, 1)
          pixels = v128.load_lane<f32>(from + 2 * step, pixels, 2)
          pixels = v128.load_lane<f32>(from + 3 * step, pixels, 3)
        }
        sum = madd(v128.load32_splat(w + (t << 2)), pixels, sum)
      }
      const at = (oy * outWidth + ox) << 2
      if (bias) sum = f32x4.add(sum, v128.load32_splat(bias))
      if (residual) sum = f32x4.add(sum, v128.load(residual + at))
      storeLanes(y + at, activate(sum, activation, low, high), outWidth - ox)
    }
  }
}

/** The same with filters as the contract has them: packs them at the start of the scratch memory first. */
export function conv2dUnpacked(
  x: usize, w: usize, bias: usize, residual: usize, y: usize, scratch: usize,
  batch: u32, channels: u32, height: u32, width: u32, filters: u32, kernelH: u32, kernelW: u32, outHeight: u32, outWidth: u32,
  strideH: u32, strideW: u32, padTop: u32, padLeft: u32, dilationH: u32, dilationW: u32, groups: u32,
  hasBias: u32, hasResidual: u32, activation: u32, clipMin: f32, clipMax: f32,
): void {
  const taps = (channels / groups) * kernelH * kernelW, perGroup = filters / groups
  let to = scratch
  for (let g: u32 = 0; g < groups; g++) {
    for (let f: u32 = 0; f < perGroup; f += TILE_ROWS) {
      const rows = min(TILE_ROWS, perGroup - f)
      packRows(w + (((g * perGroup + f) * taps) << 2), to, rows, taps)
      to += (rows * taps) << 2
    }
  }
  conv2d(
    x, scratch, bias, residual, y, scratch + align((filters * taps) << 2), batch, channels, height, width, filters, kernelH, kernelW,
    outHeight, outWidth, strideH, strideW, padTop, padLeft, dilationH, dilationW, groups, hasBias, hasResidual, activation, clipMin, clipMax,
  )
}
