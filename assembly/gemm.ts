/**
 * gemm: matrix product, batched, with bias and activation.
 *
 * Shapes: a [batch, m, k], b [batch, k, n] or [batch, n, k] when transposeB is 1 (sharedB 1: without batch), y [batch, m, n].
 *         `gemmPacked` takes a shared b as panels (panels.ts). Params: src/compute/kernels/gemm.ts.
 * Scratch: an edge tile, zeros [n], addresses, and for `gemm` the panels of one b.
 * Numerics: one sum in the order of l from the bias on (a bias that differs by row is added last instead), fused where the
 *         machine fuses; then the activation.
 * Source: ONNX Gemm and MatMul; tiles as in panels.ts.
 */
import { EDGE_BYTES, highest, lowest, packPanels, product, ROWS_BYTES } from './panels'

/** Rows of y plus their bias by row, then the activation. */
function addRowBias(
  y: usize, bias: usize, m: u32, n: u32, biasStrideM: u32, biasStrideN: u32, low: f32, high: f32,
): void {
  for (let i: u32 = 0; i < m; i++) {
    let from = bias + ((i * biasStrideM) << 2)
    for (let j: u32 = 0; j < n; j++) {
      const sum = load<f32>(y) + load<f32>(from)
      // Comparisons are false for NaN, so it stays.
      store<f32>(y, sum < low ? low : sum > high ? high : sum)
      y += 4
      from += biasStrideN << 2
    }
  }
}

function multiply(
  a: usize, b: usize, bias: usize, y: usize, scratch: usize, m: u32, n: u32, k: u32, biasStrideM: u32, biasStrideN: u32,
  activation: u32, clipMin: f32, clipMax: f32,
): void {
  const zeros = scratch + EDGE_BYTES
  const rows = zeros + ((((n + 16) << 2) + 63) & ~63)
  const low = lowest(activation, clipMin), high = highest(activation, clipMax)
  if (bias && biasStrideM) {
    memory.fill(zeros, 0, rows - zeros)
    product(a, k << 2, b, zeros, 0, y, n << 2, m, n, k, -Infinity, Infinity, scratch, rows)
    addRowBias(y, bias, m, n, biasStrideM, biasStrideN, low, high)
    return
  }
  if (!bias || !biasStrideN) {
    // One value for all columns, or none.
    const value: f32 = bias ? load<f32>(bias) : 0
    for (let at = zeros; at < rows; at += 4) store<f32>(at, value)
  }
  product(a, k << 2, b, bias && biasStrideN ? bias : zeros, 0, y, n << 2, m, n, k, low, high, scratch, rows)
}

export function gemmPacked(
  a: usize, b: usize, bias: usize, y: usize, scratch: usize,
  batch: u32, m: u32, n: u32, k: u32, transposeB: u32, sharedB: u32, hasBias: u32, biasStrideM: u32, biasStrideN: u32,
  activation: u32, clipMin: f32, clipMax: f32,
): void {
  // One matrix for all: the batch is more rows, unless each of its products counts the bias's rows anew.
  const products: u32 = biasStrideM ? batch : 1
  const rows: u32 = biasStrideM ? m : batch * m
  for (let s: u32 = 0; s < products; s++) {
    multiply(a, b, bias, y, scratch, rows, n, k, biasStrideM, biasStrideN, activation, clipMin, clipMax)
    a += (rows * k) << 2
    y += (rows * n) << 2
  }
}

export function gemm(
  a: usize, b: usize, bias: usize, y: usize, scratch: usize,
  batch: u32, m: u32, n: u32, k: u32, transposeB: u32, sharedB: u32, hasBias: u32, biasStrideM: u32, biasStrideN: u32,
  activation: u32, clipMin: f32, clipMax: f32,
): void {
  const packed = scratch + EDGE_BYTES + ((((n + 16) << 2) + 63) & ~63) + ROWS_BYTES
  for (let s: u32 = 0; s < batch; s++) {
    if (s == 0 || !sharedB) packPanels(b, packed, k, n, transposeB ? 1 : n, transposeB ? k : 1)
    multiply(a, packed, bias, y, scratch, m, n, k, biasStrideM, biasStrideN, activation, clipMin, clipMax)
    a += (m * k) << 2
    b += (k * n) << 2
    y += (m * n) << 2
  }
}
