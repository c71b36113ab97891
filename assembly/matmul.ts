/**
 * matmul: batched product of two matrices that are both made at run time, read by strides.
 *
 * Shapes: y [batch0, batch1, m, n] dense; a and b by strides in elements. Params: src/compute/kernels/matmul.ts.
 * Scratch: an edge tile, zeros [n], addresses, the panels of b, then a [m][k] where its rows are not contiguous.
 * Numerics: one sum in the order of l, fused where the machine fuses.
 * Source: ONNX MatMul, Einsum; tiles as in panels.ts.
 */
import { EDGE_BYTES, packPanels, product, ROWS_BYTES } from './panels'

/** Rows by stride -> [m][k]. */
function gatherRows(from: usize, to: usize, m: u32, k: u32, strideM: u32, strideK: u32): void {
  for (let i: u32 = 0; i < m; i++) {
    let at = from + ((i * strideM) << 2)
    for (let l: u32 = 0; l < k; l++) {
      store<f32>(to, load<f32>(at))
      at += strideK << 2
      to += 4
    }
  }
}

export function matmul(
  a: usize, b: usize, y: usize, scratch: usize,
  batch0: u32, batch1: u32, m: u32, n: u32, k: u32, strideA0: u32, strideA1: u32, strideAM: u32, strideAK: u32,
  strideB0: u32, strideB1: u32, strideBK: u32, strideBN: u32,
): void {
  const zeros = scratch + EDGE_BYTES
  const rows = zeros + ((((n + 16) << 2) + 63) & ~63)
  const packed = rows + ROWS_BYTES
  memory.fill(zeros, 0, rows - zeros)
  let gathered: usize = 0
  let ready: usize = 0 // the b whose panels are there
  for (let s: u32 = 0; s < batch0; s++) {
    for (let t: u32 = 0; t < batch1; t++) {
      const matrix = b + ((s * strideB0 + t * strideB1) << 2)
      if (ready != matrix) {
        gathered = (packPanels(matrix, packed, k, n, strideBK, strideBN) + 63) & ~63
        ready = matrix
      }
      let from = a + ((s * strideA0 + t * strideA1) << 2)
      let pitch = strideAM << 2
      if (strideAK != 1) {
        gatherRows(from, gathered, m, k, strideAM, strideAK)
        from = gathered
        pitch = k << 2
      }
      product(from, pitch, packed, zeros, 0, y, n << 2, m, n, k, -Infinity, Infinity, scratch, rows)
      y += (m * n) << 2
    }
  }
}
