/**
 * unary-pairs: the functions of unary.ts that networks spend time in, eight elements at a time.
 *
 * Shapes: x and y [count]. Params: src/compute/kernels/unary.ts. Scratch: the table of pairs.ts and two vectors.
 * Numerics: within a few units in the last place; what remains beyond the last eight goes the same way, through scratch.
 * Source: the ONNX operators of the same names.
 */
import {
  erfPair, fillTable, geluPair, hardSwishPair, sigmoidPair, TABLE_BYTES, tanhPair,
} from './pairs'
import { bound, madd } from './simd'

/** `op` is a literal at every call, so one case remains of this. */
// @ts-ignore: decorator
@inline
function apply(op: u32, x: v128, table: usize, alpha: v128, beta: v128): v128 {
  if (op == 8) return f32x4.pmax(x, v128.load32_splat(table, 172))
  if (op == 10) return bound(x, alpha, beta)
  if (op == 11) return sigmoidPair(x, table)
  if (op == 12) return tanhPair(x, table)
  if (op == 13) return erfPair(x, table)
  if (op == 14) return bound(madd(x, alpha, beta), v128.load32_splat(table, 172), v128.load32_splat(table, 48))
  if (op == 15) return hardSwishPair(x, table)
  return geluPair(x, table)
}

// @ts-ignore: decorator
@inline
function all(op: u32, x: usize, y: usize, count: u32, table: usize, alpha: v128, beta: v128): void {
  const end = x + ((count & ~7) << 2)
  while (x < end) {
    const p = apply(op, v128.load(x), table, alpha, beta), q = apply(op, v128.load(x, 16), table, alpha, beta)
    v128.store(y, p)
    v128.store(y, q, 16)
    x += 32
    y += 32
  }
  if (!(count & 7)) return
  const rest = table + TABLE_BYTES
  const p = apply(op, v128.load(x), table, alpha, beta), q = apply(op, v128.load(x, 16), table, alpha, beta)
  v128.store(rest, p)
  v128.store(rest, q, 16)
  memory.copy(y, rest, (count & 7) << 2)
}

export function unaryPairs(x: usize, y: usize, scratch: usize, count: u32, op: u32, alpha: f32, beta: f32): void {
  fillTable(scratch)
  const a = f32x4.splat(alpha), b = f32x4.splat(beta)
  switch (op) {
    case 8: all(8, x, y, count, scratch, a, b); break
    case 10: all(10, x, y, count, scratch, a, b); break
    case 11: all(11, x, y, count, scratch, a, b); break
    case 12: all(12, x, y, count, scratch, a, b); break
    case 13: all(13, x, y, count, scratch, a, b); break
    case 14: all(14, x, y, count, scratch, a, b); break
    case 15: all(15, x, y, count, scratch, a, b); break
    default: all(34, x, y, count, scratch, a, b)
  }
}
