/**
 * Pillow's `Image.resize` for 8-bit images, to the bit: Hugging Face's processors used it, so networks expect it.
 * Invariant: the coefficients are Pillow's doubles rounded to 22 fractional bits, the horizontal pass comes first,
 * and its result is rounded to bytes before the vertical one. Source: Pillow, src/libImaging/Resample.c
 * (precompute_coeffs, normalize_coeffs_8bpc, ImagingResampleInner) and, for nearest, Geometry.c (ImagingScaleAffine).
 */
import type { ResampleFilter } from './preprocess.ts'

/** [height, width, channels] bytes. */
export interface Raster {
  width: number
  height: number
  channels: number
  pixels: Uint8Array
}

/** A part of an image: `left` and `top` inclusive, in pixels. */
export interface Window {
  left: number
  top: number
  width: number
  height: number
}

const precisionBits = 32 - 8 - 2

interface Filter {
  /** Half the width, in source pixels at scale 1. */
  support: number
  weight(x: number): number
}

function sinc(x: number): number {
  if (x === 0) return 1
  return Math.sin(x * Math.PI) / (x * Math.PI)
}

const filters: Record<Exclude<ResampleFilter, 0>, Filter> = {
  1: { support: 3, weight: x => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
  2: { support: 1, weight: x => Math.max(0, 1 - Math.abs(x)) },
  3: { support: 2, weight: x => cubic(Math.abs(x)) },
  4: { support: 0.5, weight: x => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  5: { support: 1, weight: x => hamming(Math.abs(x)) },
}

function cubic(x: number): number {
  const a = -0.5
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a
  return 0
}

function hamming(x: number): number {
  if (x === 0) return 1
  if (x >= 1) return 0
  // Pillow writes these two as floats, and a weight in a million is rounded differently for it.
  return sinc(x) * (Math.fround(0.54) + Math.fround(0.46) * Math.cos(x * Math.PI))
}

/** For each output position: where its source pixels start, how many they are, and their weights. */
interface Coefficients {
  starts: Int32Array
  counts: Int32Array
  /** [outputs, taps], times 2^22. */
  weights: Int32Array
  taps: number
}

/** Coefficients of output positions `from` … `from + count - 1` of a line of `outSize` made from one of `inSize`. */
function computeCoefficients(
  inSize: number,
  outSize: number,
  from: number,
  count: number,
  filter: Filter,
): Coefficients {
  const scale = inSize / outSize
  const filterScale = Math.max(1, scale)
  const support = filter.support * filterScale
  const taps = Math.ceil(support) * 2 + 1
  const inverse = 1 / filterScale
  const table: Coefficients = {
    starts: new Int32Array(count),
    counts: new Int32Array(count),
    weights: new Int32Array(count * taps),
    taps,
  }
  const line = new Float64Array(taps)
  for (let i = 0; i < count; i++) {
    const center = (from + i + 0.5) * scale
    const start = Math.max(0, Math.trunc(center - support + 0.5))
    const used = Math.min(inSize, Math.trunc(center + support + 0.5)) - start
    let sum = 0
    for (let k = 0; k < used; k++) {
      line[k] = filter.weight((k + start - center + 0.5) * inverse)
      sum += line[k]
    }
    for (let k = 0; k < used; k++) {
      const weight = (sum === 0 ? line[k] : line[k] / sum) * (1 << precisionBits)
      table.weights[i * taps + k] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5)
    }
    table.starts[i] = start
    table.counts[i] = used
  }
  return table
}

/** Tables used last, for a folder's images often share a size; one for a photograph has some thousand weights. */
const remembered = new Map<string, Coefficients>()
const rememberedMax = 64
const rememberedWeightsMax = 256 * 1024

function coefficients(
  inSize: number,
  outSize: number,
  from: number,
  count: number,
  filter: Exclude<ResampleFilter, 0>,
): Coefficients {
  const key = `${inSize} ${outSize} ${from} ${count} ${filter}`
  let table = remembered.get(key)
  if (!table) {
    table = computeCoefficients(inSize, outSize, from, count, filters[filter])
    if (remembered.size >= rememberedMax) remembered.clear()
    if (table.weights.length <= rememberedWeightsMax) remembered.set(key, table)
  }
  return table
}

function clip8(sum: number): number {
  const value = sum >> precisionBits
  return value < 0 ? 0 : Math.min(value, 255)
}

/** Rows `firstRow` … of `image`, each line resampled: [rows, outputs, channels]. */
function horizontal(image: Raster, table: Coefficients, firstRow: number, rows: number): Raster {
  const { channels, width: inWidth, pixels } = image
  const width = table.starts.length
  const out = new Uint8Array(rows * width * channels)
  const half = 1 << (precisionBits - 1)
  const { weights, taps } = table
  let to = 0
  for (let y = 0; y < rows; y++) {
    const row = (firstRow + y) * inWidth * channels
    for (let x = 0; x < width; x++) {
      const first = row + table.starts[x] * channels
      const w = x * taps
      const count = table.counts[x]
      if (channels === 3) {
        let r = half
        let g = half
        let b = half
        for (let k = 0, p = first; k < count; k++, p += 3) {
          const weight = weights[w + k]
          r = (r + Math.imul(pixels[p], weight)) | 0
          g = (g + Math.imul(pixels[p + 1], weight)) | 0
          b = (b + Math.imul(pixels[p + 2], weight)) | 0
        }
        out[to++] = clip8(r)
        out[to++] = clip8(g)
        out[to++] = clip8(b)
      } else {
        for (let c = 0; c < channels; c++) {
          let sum = half
          for (let k = 0, p = first + c; k < count; k++, p += channels) {
            sum = (sum + Math.imul(pixels[p], weights[w + k])) | 0
          }
          out[to++] = clip8(sum)
        }
      }
    }
  }
  return { width, height: rows, channels, pixels: out }
}

/** Columns of `image` resampled; its first row is row `firstRow` of the source that the table speaks of. */
function vertical(image: Raster, table: Coefficients, firstRow: number): Raster {
  const height = table.starts.length
  const line = image.width * image.channels
  const out = new Uint8Array(height * line)
  // A whole row at a time: source rows are read in the order in which they lie in memory.
  const sums = new Int32Array(line)
  const { pixels } = image
  for (let y = 0; y < height; y++) {
    sums.fill(1 << (precisionBits - 1))
    for (let k = 0; k < table.counts[y]; k++) {
      const weight = table.weights[y * table.taps + k]
      const row = (table.starts[y] - firstRow + k) * line
      for (let i = 0; i < line; i++) sums[i] += Math.imul(pixels[row + i], weight)
    }
    const to = y * line
    for (let i = 0; i < line; i++) out[to + i] = clip8(sums[i])
  }
  return { width: image.width, height, channels: image.channels, pixels: out }
}

/** Source positions of Pillow's nearest neighbour; it adds the scale up, and so do we, for the same rounding. */
function nearestPositions(inSize: number, outSize: number, from: number, count: number): Int32Array {
  const scale = inSize / outSize
  const positions = new Int32Array(count)
  let position = scale * 0.5
  for (let i = 0; i < from + count; i++) {
    if (i >= from) positions[i - from] = Math.trunc(position)
    position += scale
  }
  return positions
}

function nearest(image: Raster, width: number, height: number, window: Window): Raster {
  const { channels } = image
  const columns = nearestPositions(image.width, width, window.left, window.width)
  const rows = nearestPositions(image.height, height, window.top, window.height)
  const out = new Uint8Array(window.width * window.height * channels)
  let to = 0
  for (const row of rows) {
    for (const column of columns) {
      // Adding up may end a hair beyond the last pixel; Pillow leaves such a pixel 0.
      const inside = row < image.height && column < image.width
      const at = (row * image.width + column) * channels
      for (let c = 0; c < channels; c++) out[to++] = inside ? image.pixels[at + c] : 0
    }
  }
  return { width: window.width, height: window.height, channels, pixels: out }
}

/** A part of an image, copied; the image itself when the part is all of it. */
function cut(image: Raster, window: Window): Raster {
  if (window.width === image.width && window.height === image.height) return image
  const { channels } = image
  const line = window.width * channels
  const pixels = new Uint8Array(window.height * line)
  for (let y = 0; y < window.height; y++) {
    const at = ((window.top + y) * image.width + window.left) * channels
    pixels.set(image.pixels.subarray(at, at + line), y * line)
  }
  return { width: window.width, height: window.height, channels, pixels }
}

/**
 * `Image.resize((width, height), filter)`, and of it the part in `window` (default: all), which costs no more than
 * that part. Sizes are at least 1, the window lies inside. Returns `image` itself when there is nothing to do.
 */
export function resample(
  image: Raster,
  width: number,
  height: number,
  filter: ResampleFilter,
  window?: Window,
): Raster {
  const part = window ?? { left: 0, top: 0, width, height }
  if (width === image.width && height === image.height) return cut(image, part)
  if (filter === 0) return nearest(image, width, height, part)
  const across = coefficients(image.width, width, part.left, part.width, filter)
  const down = coefficients(image.height, height, part.top, part.height, filter)
  const last = part.height - 1
  // Pillow leaves a pass out where that dimension stays.
  const firstRow = height === image.height ? part.top : down.starts[0]
  const endRow = height === image.height ? part.top + part.height : down.starts[last] + down.counts[last]
  const middle =
    width === image.width
      ? cut(image, { left: part.left, top: firstRow, width: part.width, height: endRow - firstRow })
      : horizontal(image, across, firstRow, endRow - firstRow)
  return height === image.height ? middle : vertical(middle, down, firstRow)
}
