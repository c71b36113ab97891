/**
 * panels: what every matrix product, convolution and Winograd product is made of: a block of rows, read by address, times a
 * packed matrix, panel by panel, so that a panel stays in cache while all rows of the block go over it.
 *
 * Shapes: rows [ceil(m / 6)][taps][6] addresses, each of `length` values; w in panels of 16 columns [taps * length][16], the last
 *         one 8 wide where at most 8 columns remain, filled up with zeros; bias [n] and a panel's width more that may be anything;
 *         y and residual m rows of n values, `stride` bytes apart. edge: 768 bytes of scratch.
 * Numerics: as tile16.ts.
 */
import { ACTIVATION_CLIP, ACTIVATION_NONE } from './simd'
import { tile1x16, tile4x16, tile6x16 } from './tile16'
import { tile1x8, tile4x8, tile6x8 } from './tile8'

/** Bytes for one ragged tile and its residual. */
export const EDGE_BYTES: usize = 768

/** Rows of a block: a multiple of 6; from 24 to 384 the speed is the same within 2%. */
export const BLOCK_ROWS: u32 = 96

/** A global of this instance, not of the shared memory. */
let wide: bool = false

/** Whether V8 pairs vectors into 256 bits in this instance, so that tiles of 16 columns fit the registers. Bits are the same. */
export function useWideTiles(yes: u32): void {
  wide = yes != 0
}

// @ts-ignore: decorator
@inline
export function lowest(activation: u32, clipMin: f32): f32 {
  return activation == ACTIVATION_NONE ? -Infinity : activation == ACTIVATION_CLIP ? clipMin : 0
}

// @ts-ignore: decorator
@inline
export function highest(activation: u32, clipMax: f32): f32 {
  return activation == ACTIVATION_CLIP ? clipMax : Infinity
}

function tiles8(
  rows: usize, taps: u32, length: u32, b: usize, step: usize, bias: usize, residual: usize, y: usize, stride: u32, count: u32, tiles: u32,
  low: f32, high: f32,
): void {
  if (count > 4) tile6x8(rows, taps, length, b, step, bias, residual, y, stride, count, tiles, low, high)
  else if (count > 1) tile4x8(rows, taps, length, b, step, bias, residual, y, stride, count, tiles, low, high)
  else tile1x8(rows, taps, length, b, step, bias, residual, y, stride, count, tiles, low, high)
}

function tiles16(
  rows: usize, taps: u32, length: u32, b: usize, bias: usize, residual: usize, y: usize, stride: u32, count: u32, tiles: u32,
  low: f32, high: f32,
): void {
  if (count == 1) {
    tile1x16(rows, taps, length, b, bias, residual, y, stride, count, tiles, low, high)
  } else if (!wide) {
    tiles8(rows, taps, length, b, 64, bias, residual, y, stride, count, tiles, low, high)
    tiles8(rows, taps, length, b + 32, 64, bias + 32, residual ? residual + 32 : 0, y + 32, stride, count, tiles, low, high)
  } else if (count > 4) {
    tile6x16(rows, taps, length, b, bias, residual, y, stride, count, tiles, low, high)
  } else {
    tile4x16(rows, taps, length, b, bias, residual, y, stride, count, tiles, low, high)
  }
}

/** @param residual must not overlap y: rows that fill a tile up are written twice */
export function panels(
  rows: usize, m: u32, taps: u32, length: u32, w: usize, bias: usize, residual: usize, y: usize, n: u32, stride: u32,
  low: f32, high: f32, edge: usize,
): void {
  const k = taps * length
  const step = taps * 24
  for (let left = n; left > 0;) {
    const full = left > 8
    const width: u32 = full ? 16 : 8
    const ragged = left < width
    let at = rows
    for (let i: u32 = 0; i < m;) {
      const count = min<u32>(6, m - i)
      const tiles: u32 = ragged || count < 6 ? 1 : (m - i) / 6
      let to = y + i * stride, from = residual ? residual + i * stride : 0, pitch = stride
      if (ragged) {
        // The last panel is wider than what remains: it goes through a tile of its own.
        if (residual) {
          for (let r: u32 = 0; r < count; r++) memory.copy(edge + 384 + r * 64, from + r * stride, left << 2)
          from = edge + 384
        }
        to = edge
        pitch = 64
      }
      if (full) tiles16(at, taps, length, w, bias, from, to, pitch, count, tiles, low, high)
      else tiles8(at, taps, length, w, 32, bias, from, to, pitch, count, tiles, low, high)
      if (ragged) for (let r: u32 = 0; r < count; r++) memory.copy(y + (i + r) * stride, edge + r * 64, left << 2)
      at += step * tiles
      i += 6 * tiles
    }
    w += <usize>(k * width) << 2
    bias += width << 2
    y += width << 2
    if (residual) residual += width << 2
    left -= ragged ? left : width
  }
}

/** What the first cache holds beside a panel; longer rows are fetched ahead as they are. */
const TOUCHED_BYTES: usize = 32768

/**
 * Reads one vector of each line of the cache, in order, which a processor fetches ahead of; six short rows at once, as the tiles
 * read them, it does not. A product of rows that come from memory takes an eighth less time for it.
 */
function touch(from: usize, bytes: usize, edge: usize): void {
  let all = f32x4.splat(0)
  for (let at = from, end = from + bytes; at < end; at += 64) all = v128.or(all, v128.load(at))
  // Or there would be nothing to read for.
  v128.store(edge, all)
}

/** m rows of a, `pitch` bytes apart, times a packed matrix: panels with a table of addresses made block by block at `rows`. */
export function product(
  a: usize, pitch: u32, w: usize, bias: usize, residual: usize, y: usize, stride: u32, m: u32, n: u32, k: u32,
  low: f32, high: f32, edge: usize, rows: usize,
): void {
  for (let first: u32 = 0; first < m; first += BLOCK_ROWS) {
    const count = min(BLOCK_ROWS, m - first)
    const last = a + <usize>(first + count - 1) * pitch
    let from = a + <usize>first * pitch
    if (pitch == k << 2 && <usize>count * pitch <= TOUCHED_BYTES) touch(from, <usize>count * pitch, edge)
    const padded = ((count + 5) / 6) * 6
    for (let i: u32 = 0; i < padded; i++) {
      store<u32>(rows + (i << 2), <u32>min(from, last))
      from += pitch
    }
    panels(
      rows, count, 1, k, w, bias, residual ? residual + <usize>first * stride : 0, y + <usize>first * stride, n, stride, low, high, edge,
    )
  }
}

/** Bytes of a product's table of addresses, and of a convolution's for each tap. */
export const ROWS_BYTES: usize = (96 / 6) * 24

/** b [k][n] by strides in floats -> panels. Returns the end of what it wrote. */
export function packPanels(b: usize, to: usize, k: u32, n: u32, strideK: u32, strideN: u32): usize {
  for (let first: u32 = 0; first < n;) {
    const width: u32 = n - first > 8 ? 16 : 8
    const columns = min(width, n - first)
    const from = b + ((first * strideN) << 2)
    if (columns == width && strideN == 1) packRows(from, to, k, width, strideK << 2)
    else if (columns == width && strideK == 1) packColumns(from, to, k, width, strideN << 2)
    else packAny(from, to, k, width, columns, strideK << 2, strideN << 2)
    to += (k * width) << 2
    first += columns
  }
  return to
}

/** A panel whose rows are contiguous. */
function packRows(from: usize, to: usize, k: u32, width: u32, pitch: u32): void {
  for (let l: u32 = 0; l < k; l++) {
    for (let j: u32 = 0; j < width << 2; j += 32) {
      v128.store(to + j, v128.load(from + j))
      v128.store(to + j, v128.load(from + j, 16), 16)
    }
    to += width << 2
    from += pitch
  }
}

/** A panel whose columns are contiguous: 4 x 4 of them at a time. */
function packColumns(from: usize, to: usize, k: u32, width: u32, pitch: u32): void {
  const row = width << 2
  for (let j: u32 = 0; j < width; j += 4) {
    const r0 = from + j * pitch
    const r1 = r0 + pitch, r2 = r1 + pitch, r3 = r2 + pitch
    let at = to + (j << 2)
    let l: u32 = 0
    for (; l + 4 <= k; l += 4) {
      const a = v128.load(r0 + (l << 2)), b = v128.load(r1 + (l << 2))
      const c = v128.load(r2 + (l << 2)), d = v128.load(r3 + (l << 2))
      const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5), cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5)
      v128.store(at, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5))
      v128.store(at + row, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7))
      const ef = v128.shuffle<f32>(a, b, 2, 6, 3, 7), gh = v128.shuffle<f32>(c, d, 2, 6, 3, 7)
      v128.store(at + 2 * row, v128.shuffle<f32>(ef, gh, 0, 1, 4, 5))
      v128.store(at + 3 * row, v128.shuffle<f32>(ef, gh, 2, 3, 6, 7))
      at += row << 2
    }
    for (; l < k; l++) {
      store<f32>(at, load<f32>(r0 + (l << 2)))
      store<f32>(at, load<f32>(r1 + (l << 2)), 4)
      store<f32>(at, load<f32>(r2 + (l << 2)), 8)
      store<f32>(at, load<f32>(r3 + (l << 2)), 12)
      at += row
    }
  }
}

function packAny(from: usize, to: usize, k: u32, width: u32, columns: u32, pitchK: u32, pitchN: u32): void {
  for (let l: u32 = 0; l < k; l++) {
    let at = from
    for (let j: u32 = 0; j < width; j++) {
      store<f32>(to, j < columns ? load<f32>(at) : 0)
      at += pitchN
      to += 4
    }
    from += pitchK
  }
}
