/**
 * gemm: matrix product, batched, with bias and activation.
 *
 * y[s,i,j] = act(bias[i*biasStrideM + j*biasStrideN] + sum over l of a[s,i,l] * b[s,l,j])
 * Shapes: a [batch, m, k], b [batch, k, n] or [batch, n, k] when transposeB is 1 (sharedB 1: without batch), y [batch, m, n].
 *         `gemmPacked` takes a shared b as panels [ceil(n / 8)][k][8], filled up with zeros.
 * Params: src/compute/kernels/gemm.ts. Scratch: offsets [k], six rows of a [k][6], and a panel [k][8] for a b that is transposed.
 * Numerics: one sum in the order of l, fused where the machine fuses; then bias, then activation.
 * Source: ONNX Gemm and MatMul; register tiles after Goto and van de Geijn, "Anatomy of High-Performance Matrix
 *         Multiplication", 2008.
 */
import { TILE_COLUMNS, TILE_ROWS, tile } from './tile'

/** Interleaves rows of a row-major matrix: [rows][k] -> [k][rows]. */
export function packRows(from: usize, to: usize, rows: u32, k: u32): void {
  for (let r: u32 = 0; r < rows; r++) {
    let at = to + (r << 2)
    for (let l: u32 = 0; l < k; l++) {
      store<f32>(at, load<f32>(from))
      from += 4
      at += rows << 2
    }
  }
}

/** A panel of up to 8 columns out of b's rows (transposed): [columns][k] -> [k][8]. */
function packTransposed(from: usize, to: usize, columns: u32, k: u32): void {
  for (let c: u32 = 0; c < TILE_COLUMNS; c++) {
    let at = to + (c << 2)
    for (let l: u32 = 0; l < k; l++) {
      store<f32>(at, c < columns ? load<f32>(from + (l << 2)) : 0)
      at += TILE_COLUMNS << 2
    }
    from += k << 2
  }
}

export function gemmPacked(
  a: usize, b: usize, bias: usize, y: usize, scratch: usize,
  batch: u32, m: u32, n: u32, k: u32, transposeB: u32, sharedB: u32, hasBias: u32, biasStrideM: u32, biasStrideN: u32,
  activation: u32, clipMin: f32, clipMax: f32,
): void {
  const offsets = scratch
  const rowsAt = scratch + (((k << 2) + 63) & ~63)
  for (let l: u32 = 0; l < k; l++) store<u32>(offsets + (l << 2), l * (TILE_COLUMNS << 2))
  // One matrix for all: the batch is more rows, unless each of its products counts the bias's rows anew.
  const products: u32 = biasStrideM ? batch : 1
  const rows: u32 = biasStrideM ? m : batch * m
  for (let s: u32 = 0; s < products; s++) {
    product(
      a + ((s * rows * k) << 2), b, (k * TILE_COLUMNS) << 2, bias, y + ((s * rows * n) << 2), offsets, rowsAt, 0,
      rows, n, k, biasStrideM, biasStrideN, activation, clipMin, clipMax,
    )
  }
}

export function gemm(
  a: usize, b: usize, bias: usize, y: usize, scratch: usize,
  batch: u32, m: u32, n: u32, k: u32, transposeB: u32, sharedB: u32, hasBias: u32, biasStrideM: u32, biasStrideN: u32,
  activation: u32, clipMin: f32, clipMax: f32,
): void {
  const offsets = scratch
  const rowsAt = scratch + (((k << 2) + 63) & ~63)
  const panelAt = transposeB ? rowsAt + (((k * TILE_ROWS << 2) + 63) & ~63) : 0
  const step = transposeB ? TILE_COLUMNS << 2 : n << 2
  for (let l: u32 = 0; l < k; l++) store<u32>(offsets + (l << 2), l * step)
  for (let s: u32 = 0; s < batch; s++) {
    const matrix = b + (sharedB ? 0 : (s * k * n) << 2)
    product(
      a + ((s * m * k) << 2), matrix, TILE_COLUMNS << 2, bias, y + ((s * m * n) << 2), offsets, rowsAt, panelAt,
      m, n, k, biasStrideM, biasStrideN, activation, clipMin, clipMax,
    )
  }
}

/**
 * All rows of one product. b's columns j to j + 7 lie at b + (j / 8) * panelBytes, row l of them offsets[l] further; with
 * `panelAt` b is transposed, and each panel is brought there first.
 */
function product(
  a: usize, b: usize, panelBytes: u32, bias: usize, y: usize, offsets: usize, rowsAt: usize, panelAt: usize,
  rows: u32, n: u32, k: u32, biasStrideM: u32, biasStrideN: u32, activation: u32, clipMin: f32, clipMax: f32,
): void {
  const low = f32x4.splat(clipMin), high = f32x4.splat(clipMax)
  for (let i: u32 = 0; i < rows; i += TILE_ROWS) {
    const height = min(TILE_ROWS, rows - i)
    packRows(a + ((i * k) << 2), rowsAt, height, k)
    for (let j: u32 = 0; j < n; j += TILE_COLUMNS) {
      const columns = min(TILE_COLUMNS, n - j)
      let panel = b + (j / TILE_COLUMNS) * panelBytes
      if (panelAt) {
        packTransposed(b + ((j * k) << 2), panelAt, columns, k)
        panel = panelAt
      }
      const at = y + ((i * n + j) << 2)
      const rowBias = bias && !biasStrideN ? bias + ((i * biasStrideM) << 2) : 0
      const columnBias = bias && biasStrideN ? bias + ((i * biasStrideM + j) << 2) : 0
      tile(
        height, k, rowsAt, panel, offsets, at, n << 2, columns,
        rowBias, biasStrideM << 2, columnBias, biasStrideM << 2, 0, activation, low, high,
      )
    }
  }
}
