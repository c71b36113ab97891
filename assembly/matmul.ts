/**
 * matmul: batched product of two matrices that are both made at run time, read by strides.
 *
 * Shapes: y [batch0, batch1, m, n] dense; a and b by strides in elements. Params: src/compute/kernels/matmul.ts.
 *         Scratch: offsets [k], six rows of a [k][6], then b as panels of 8 columns [k][8] where it is not read in place.
 * Numerics: one sum in the order of l, fused where the machine fuses.
 * Source: ONNX MatMul, Einsum; tiles as in gemm.ts.
 */
import { TILE_COLUMNS, TILE_ROWS, tile } from './tile'

/** From so many rows on, b is worth packing even where its columns are neighbours. */
const PACK_ROWS: u32 = 24

// @ts-ignore: decorator
@inline
export function align(bytes: u32): u32 {
  return (bytes + 63) & ~63
}

/** Rows by stride -> [k][rows]. */
export function packA(from: usize, to: usize, rows: u32, k: u32, strideM: u32, strideK: u32): void {
  for (let r: u32 = 0; r < rows; r++) {
    let at = to + (r << 2)
    let source = from + ((r * strideM) << 2)
    for (let l: u32 = 0; l < k; l++) {
      store<f32>(at, load<f32>(source))
      source += strideK << 2
      at += rows << 2
    }
  }
}

/** Columns by stride -> panels [k][8], filled up with zeros. */
function packB(from: usize, to: usize, k: u32, n: u32, strideK: u32, strideN: u32): void {
  for (let j: u32 = 0; j < n; j += TILE_COLUMNS) {
    const columns = min(TILE_COLUMNS, n - j)
    if (strideN == 1 && columns == TILE_COLUMNS) {
      for (let l: u32 = 0; l < k; l++) {
        const source = from + ((l * strideK + j) << 2)
        v128.store(to, v128.load(source))
        v128.store(to, v128.load(source, 16), 16)
        to += TILE_COLUMNS << 2
      }
      continue
    }
    for (let c: u32 = 0; c < TILE_COLUMNS; c++) {
      let source = from + (((j + c) * strideN) << 2)
      for (let l: u32 = 0; l < k; l++) {
        store<f32>(to + ((l * TILE_COLUMNS + c) << 2), c < columns ? load<f32>(source) : 0)
        source += strideK << 2
      }
    }
    to += (k * TILE_COLUMNS) << 2
  }
}

export function matmul(
  a: usize, b: usize, y: usize, scratch: usize,
  batch0: u32, batch1: u32, m: u32, n: u32, k: u32, strideA0: u32, strideA1: u32, strideAM: u32, strideAK: u32,
  strideB0: u32, strideB1: u32, strideBK: u32, strideBN: u32,
): void {
  const none = f32x4.splat(0)
  const offsets = scratch
  const rowsAt = offsets + align(k << 2)
  const panels = rowsAt + align((k * TILE_ROWS) << 2)
  const packed = strideBN != 1 || m > PACK_ROWS
  const step = (packed ? TILE_COLUMNS : strideBK) << 2
  const panelBytes = packed ? (k * TILE_COLUMNS) << 2 : TILE_COLUMNS << 2
  for (let l: u32 = 0; l < k; l++) store<u32>(offsets + (l << 2), l * step)
  let ready: usize = 0 // the b whose panels are there
  for (let s: u32 = 0; s < batch0; s++) {
    for (let t: u32 = 0; t < batch1; t++) {
      const matrix = b + ((s * strideB0 + t * strideB1) << 2)
      if (packed && ready != matrix) {
        packB(matrix, panels, k, n, strideBK, strideBN)
        ready = matrix
      }
      const right = packed ? panels : matrix
      const rows = a + ((s * strideA0 + t * strideA1) << 2)
      for (let i: u32 = 0; i < m; i += TILE_ROWS) {
        const height = min(TILE_ROWS, m - i)
        packA(rows + ((i * strideAM) << 2), rowsAt, height, k, strideAM, strideAK)
        for (let j: u32 = 0; j < n; j += TILE_COLUMNS) {
          const panel = right + (j / TILE_COLUMNS) * panelBytes
          tile(
            height, k, rowsAt, panel, offsets, y + ((i * n + j) << 2), n << 2, min(TILE_COLUMNS, n - j),
            0, 0, 0, 0, 0, 0, none, none,
          )
        }
      }
      y += (m * n) << 2
    }
  }
}
