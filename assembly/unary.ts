/**
 * unary: one function of one element.
 *
 * Shapes: x and y [count]. Params: src/compute/kernels/unary.ts. No scratch.
 * Numerics: exp, log, sigmoid, tanh and erf within a few units in the last place (simd.ts); NaN passes through.
 * Source: the ONNX operators of the same names.
 */
import { erf4, exp4, log4, storeLanes, tanh4 } from './simd'

// @ts-ignore: decorator
@inline
function hard(x: v128, factor: v128, shift: v128): v128 {
  const line = f32x4.add(f32x4.mul(x, factor), shift)
  return f32x4.max(f32x4.min(line, f32x4.splat(1)), f32x4.splat(0))
}

/** `op` is a literal at every call, so one case remains of this. */
// @ts-ignore: decorator
@inline
function apply(op: u32, x: v128, alpha: v128, beta: v128): v128 {
  if (op == 0) return f32x4.neg(x)
  if (op == 1) return f32x4.abs(x)
  if (op == 2) return f32x4.sqrt(x)
  if (op == 3) return exp4(x)
  if (op == 4) return log4(x)
  if (op == 5) return f32x4.div(f32x4.splat(1), x)
  if (op == 6) return f32x4.floor(x)
  if (op == 7) return f32x4.ceil(x)
  if (op == 8) return f32x4.max(x, f32x4.splat(0))
  if (op == 9) return v128.bitselect(f32x4.mul(x, alpha), x, f32x4.lt(x, f32x4.splat(0)))
  if (op == 10) return f32x4.min(f32x4.max(x, alpha), beta)
  if (op == 11) return f32x4.div(f32x4.splat(1), f32x4.add(exp4(f32x4.neg(x)), f32x4.splat(1)))
  if (op == 12) return tanh4(x)
  if (op == 13) return erf4(x)
  if (op == 14) return hard(x, alpha, beta)
  return f32x4.mul(x, hard(x, f32x4.splat(1.0 / 6.0), f32x4.splat(0.5)))
}

// @ts-ignore: decorator
@inline
function all(op: u32, x: usize, y: usize, count: u32, alpha: v128, beta: v128): void {
  let i: u32 = 0
  for (; i + 4 <= count; i += 4) v128.store(y + (i << 2), apply(op, v128.load(x + (i << 2)), alpha, beta))
  if (i < count) storeLanes(y + (i << 2), apply(op, v128.load(x + (i << 2)), alpha, beta), count - i)
}

export function unary(x: usize, y: usize, scratch: usize, count: u32, op: u32, alpha: f32, beta: f32): void {
  const a = f32x4.splat(alpha), b = f32x4.splat(beta)
  switch (op) {
    case 0: all(0, x, y, count, a, b); break
    case 1: all(1, x, y, count, a, b); break
    case 2: all(2, x, y, count, a, b); break
    case 3: all(3, x, y, count, a, b); break
    case 4: all(4, x, y, count, a, b); break
    case 5: all(5, x, y, count, a, b); break
    case 6: all(6, x, y, count, a, b); break
    case 7: all(7, x, y, count, a, b); break
    case 8: all(8, x, y, count, a, b); break
    case 9: all(9, x, y, count, a, b); break
    case 10: all(10, x, y, count, a, b); break
    case 11: all(11, x, y, count, a, b); break
    case 12: all(12, x, y, count, a, b); break
    case 13: all(13, x, y, count, a, b); break
    case 14: all(14, x, y, count, a, b); break
    default: all(15, x, y, count, a, b)
  }
}
