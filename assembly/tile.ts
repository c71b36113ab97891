/**
 * The one inner loop of conv2d and gemm: up to 6 rows by 8 columns of
 *
 *   y[r,j] = act(sum over k of a[k,r] * b[k,j] + rowBias[r] + columnBias[r,j] + residual[r,j])
 *
 * a: packed, `rows` values for each k. b: for each k 8 consecutive values at base + offsets[k] (bytes), so that a packed
 * panel, a row-major matrix and an image are all read as they lie. Every element is summed in the order of k whatever the
 * tile, so its bits depend on nothing else. 12 accumulators of 4 lanes, 2 vectors of b and 1 of a fit 16 registers.
 */
import { activate, madd } from './simd'

/** Rows of a full tile: a's panels are this high, the last one as high as what remains. */
export const TILE_ROWS: u32 = 6
/** Columns of a tile: b's panels are this wide. */
export const TILE_COLUMNS: u32 = 8

// @ts-ignore: decorator
@inline
function finish(
  at: usize, left: v128, right: v128, columns: u32,
  rowBias: usize, columnBias: usize, residual: usize, activation: u32, low: v128, high: v128,
): void {
  if (rowBias) {
    const bias = v128.load32_splat(rowBias)
    left = f32x4.add(left, bias)
    right = f32x4.add(right, bias)
  }
  if (columnBias) {
    left = f32x4.add(left, v128.load(columnBias))
    right = f32x4.add(right, v128.load(columnBias, 16))
  }
  if (residual) {
    left = f32x4.add(left, v128.load(residual))
    right = f32x4.add(right, v128.load(residual, 16))
  }
  if (activation) {
    left = activate(left, activation, low, high)
    right = activate(right, activation, low, high)
  }
  if (columns >= 8) {
    v128.store(at, left)
    v128.store(at, right, 16)
  } else {
    storeSome(at, left, right, columns)
  }
}

function storeSome(at: usize, left: v128, right: v128, columns: u32): void {
  store<f32>(at, f32x4.extract_lane(left, 0))
  if (columns > 1) store<f32>(at, f32x4.extract_lane(left, 1), 4)
  if (columns > 2) store<f32>(at, f32x4.extract_lane(left, 2), 8)
  if (columns > 3) store<f32>(at, f32x4.extract_lane(left, 3), 12)
  if (columns > 4) store<f32>(at, f32x4.extract_lane(right, 0), 16)
  if (columns > 5) store<f32>(at, f32x4.extract_lane(right, 1), 20)
  if (columns > 6) store<f32>(at, f32x4.extract_lane(right, 2), 24)
}

/** `rows` is a literal at every call, so the conditions on it leave no code. */
// @ts-ignore: decorator
@inline
function tileOf(
  rows: u32, k: u32, a: usize, base: usize, offsets: usize, y: usize, rowBytes: usize, columns: u32,
  rowBias: usize, rowBiasBytes: usize, columnBias: usize, columnBiasBytes: usize, residual: usize,
  activation: u32, low: v128, high: v128,
): void {
  let l0 = f32x4.splat(0), l1 = f32x4.splat(0), l2 = f32x4.splat(0)
  let l3 = f32x4.splat(0), l4 = f32x4.splat(0), l5 = f32x4.splat(0)
  let r0 = f32x4.splat(0), r1 = f32x4.splat(0), r2 = f32x4.splat(0)
  let r3 = f32x4.splat(0), r4 = f32x4.splat(0), r5 = f32x4.splat(0)
  for (const end = offsets + (k << 2); offsets < end; offsets += 4) {
    const b = base + load<u32>(offsets)
    const left = v128.load(b)
    const right = v128.load(b, 16)
    let s = v128.load32_splat(a)
    l0 = madd(s, left, l0)
    r0 = madd(s, right, r0)
    if (rows > 1) {
      s = v128.load32_splat(a, 4)
      l1 = madd(s, left, l1)
      r1 = madd(s, right, r1)
    }
    if (rows > 2) {
      s = v128.load32_splat(a, 8)
      l2 = madd(s, left, l2)
      r2 = madd(s, right, r2)
    }
    if (rows > 3) {
      s = v128.load32_splat(a, 12)
      l3 = madd(s, left, l3)
      r3 = madd(s, right, r3)
    }
    if (rows > 4) {
      s = v128.load32_splat(a, 16)
      l4 = madd(s, left, l4)
      r4 = madd(s, right, r4)
    }
    if (rows > 5) {
      s = v128.load32_splat(a, 20)
      l5 = madd(s, left, l5)
      r5 = madd(s, right, r5)
    }
    a += rows << 2
  }
  const rb = rowBiasBytes, cb = columnBiasBytes, ys = rowBytes
  finish(y, l0, r0, columns, rowBias, columnBias, residual, activation, low, high)
  if (rows > 1) finish(y + ys, l1, r1, columns, rowBias && rowBias + rb, columnBias && columnBias + cb, residual && residual + ys, activation, low, high)
  if (rows > 2) finish(y + 2 * ys, l2, r2, columns, rowBias && rowBias + 2 * rb, columnBias && columnBias + 2 * cb, residual && residual + 2 * ys, activation, low, high)
  if (rows > 3) finish(y + 3 * ys, l3, r3, columns, rowBias && rowBias + 3 * rb, columnBias && columnBias + 3 * cb, residual && residual + 3 * ys, activation, low, high)
  if (rows > 4) finish(y + 4 * ys, l4, r4, columns, rowBias && rowBias + 4 * rb, columnBias && columnBias + 4 * cb, residual && residual + 4 * ys, activation, low, high)
  if (rows > 5) finish(y + 5 * ys, l5, r5, columns, rowBias && rowBias + 5 * rb, columnBias && columnBias + 5 * cb, residual && residual + 5 * ys, activation, low, high)
}

/**
 * @param rows 1 to 6, and as many as a's panel has
 * @param rowBytes from one row of y (and of the residual) to the next
 * @param columns 1 to 8; more are computed, these are stored
 * @param rowBias, columnBias, residual addresses for row 0 and column 0, or 0 for none
 */
export function tile(
  rows: u32, k: u32, a: usize, base: usize, offsets: usize, y: usize, rowBytes: usize, columns: u32,
  rowBias: usize, rowBiasBytes: usize, columnBias: usize, columnBiasBytes: usize, residual: usize,
  activation: u32, low: v128, high: v128,
): void {
  if (rows >= 6) tile6(k, a, base, offsets, y, rowBytes, columns, rowBias, rowBiasBytes, columnBias, columnBiasBytes, residual, activation, low, high)
  else if (rows == 5) tile5(k, a, base, offsets, y, rowBytes, columns, rowBias, rowBiasBytes, columnBias, columnBiasBytes, residual, activation, low, high)
  else if (rows == 4) tile4(k, a, base, offsets, y, rowBytes, columns, rowBias, rowBiasBytes, columnBias, columnBiasBytes, residual, activation, low, high)
  else if (rows == 3) tile3(k, a, base, offsets, y, rowBytes, columns, rowBias, rowBiasBytes, columnBias, columnBiasBytes, residual, activation, low, high)
  else if (rows == 2) tile2(k, a, base, offsets, y, rowBytes, columns, rowBias, rowBiasBytes, columnBias, columnBiasBytes, residual, activation, low, high)
  else tile1(k, a, base, offsets, y, rowBytes, columns, rowBias, rowBiasBytes, columnBias, columnBiasBytes, residual, activation, low, high)
}

function tile6(
  k: u32, a: usize, base: usize, offsets: usize, y: usize, rowBytes: usize, columns: u32, rowBias: usize, rowBiasBytes: usize,
  columnBias: usize, columnBiasBytes: usize, residual: usize, activation: u32, low: v128, high: v128,
): void {
  tileOf(6, k, a, base, offsets, y, rowBytes, columns, rowBias, rowBiasBytes, columnBias, columnBiasBytes, residual, activation, low, high)
}
function tile5(
  k: u32, a: usize, base: usize, offsets: usize, y: usize, rowBytes: usize, columns: u32, rowBias: usize, rowBiasBytes: usize,
  columnBias: usize, columnBiasBytes: usize, residual: usize, activation: u32, low: v128, high: v128,
): void {
  tileOf(5, k, a, base, offsets, y, rowBytes, columns, rowBias, rowBiasBytes, columnBias, columnBiasBytes, residual, activation, low, high)
}
function tile4(
  k: u32, a: usize, base: usize, offsets: usize, y: usize, rowBytes: usize, columns: u32, rowBias: usize, rowBiasBytes: usize,
  columnBias: usize, columnBiasBytes: usize, residual: usize, activation: u32, low: v128, high: v128,
): void {
  tileOf(4, k, a, base, offsets, y, rowBytes, columns, rowBias, rowBiasBytes, columnBias, columnBiasBytes, residual, activation, low, high)
}
function tile3(
  k: u32, a: usize, base: usize, offsets: usize, y: usize, rowBytes: usize, columns: u32, rowBias: usize, rowBiasBytes: usize,
  columnBias: usize, columnBiasBytes: usize, residual: usize, activation: u32, low: v128, high: v128,
): void {
  tileOf(3, k, a, base, offsets, y, rowBytes, columns, rowBias, rowBiasBytes, columnBias, columnBiasBytes, residual, activation, low, high)
}
function tile2(
  k: u32, a: usize, base: usize, offsets: usize, y: usize, rowBytes: usize, columns: u32, rowBias: usize, rowBiasBytes: usize,
  columnBias: usize, columnBiasBytes: usize, residual: usize, activation: u32, low: v128, high: v128,
): void {
  tileOf(2, k, a, base, offsets, y, rowBytes, columns, rowBias, rowBiasBytes, columnBias, columnBiasBytes, residual, activation, low, high)
}
function tile1(
  k: u32, a: usize, base: usize, offsets: usize, y: usize, rowBytes: usize, columns: u32, rowBias: usize, rowBiasBytes: usize,
  columnBias: usize, columnBiasBytes: usize, residual: usize, activation: u32, low: v128, high: v128,
): void {
  tileOf(1, k, a, base, offsets, y, rowBytes, columns, rowBias, rowBiasBytes, columnBias, columnBiasBytes, residual, activation, low, high)
}
