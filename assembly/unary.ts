/**
 * unary: one function of one element.
 *
 * Shapes: x and y [count]. Params: src/compute/kernels/unary.ts. No scratch.
 * Numerics: within a few units in the last place: four at a time in float32 (simd.ts), trigonometry and its like one at a
 *           time in double precision (double.ts); NaN passes through where the contract says so.
 * Source: the ONNX operators of the same names.
 */
import { acos64, acosh64, asin64, asinh64, atan64, atanh64, circular64, cosh64, sinh64 } from './double'
import { bound, erf4, exp4, expm14, log1p4, log4, storeLanes, tanh4 } from './simd'

// @ts-ignore: decorator
@inline
function hard(x: v128, factor: v128, shift: v128): v128 {
  const line = f32x4.add(f32x4.mul(x, factor), shift)
  return bound(line, f32x4.splat(0), f32x4.splat(1))
}

/** 1 where the mask is set, else 0. */
// @ts-ignore: decorator
@inline
function truth(mask: v128): v128 {
  return v128.and(mask, f32x4.splat(1))
}

/** x * gate, and 0 where the gate is shut, even to an infinity. */
// @ts-ignore: decorator
@inline
function gated(x: v128, gate: v128): v128 {
  return v128.andnot(f32x4.mul(x, gate), f32x4.eq(gate, f32x4.splat(0)))
}

/** Half of 1 + f. */
// @ts-ignore: decorator
@inline
function halfAbove(f: v128): v128 {
  return f32x4.mul(f32x4.add(f, f32x4.splat(1)), f32x4.splat(0.5))
}

/** tanh(ln(1 + w)) with w = e^x: (w^2 + 2w) / (w^2 + 2w + 2); beyond 20 it is 1. */
// @ts-ignore: decorator
@inline
function mishGate(x: v128): v128 {
  const w = exp4(f32x4.pmin(x, f32x4.splat(20)))
  const q = f32x4.mul(w, f32x4.add(w, f32x4.splat(2)))
  return f32x4.div(q, f32x4.add(q, f32x4.splat(2)))
}

/** A line below zero, x above; x itself where it is not below, NaN too. */
// @ts-ignore: decorator
@inline
function below(x: v128, replacement: v128): v128 {
  return v128.bitselect(replacement, x, f32x4.lt(x, f32x4.splat(0)))
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
  if (op == 8) return f32x4.pmax(x, f32x4.splat(0))
  if (op == 9) return v128.bitselect(f32x4.mul(x, alpha), x, f32x4.lt(x, f32x4.splat(0)))
  if (op == 10) return bound(x, alpha, beta)
  if (op == 11) return f32x4.div(f32x4.splat(1), f32x4.add(exp4(f32x4.neg(x)), f32x4.splat(1)))
  if (op == 12) return tanh4(x)
  if (op == 13) return erf4(x)
  if (op == 14) return hard(x, alpha, beta)
  if (op == 15) return f32x4.mul(x, hard(x, f32x4.splat(1.0 / 6.0), f32x4.splat(0.5)))
  if (op == 16) return f32x4.nearest(x)
  if (op == 17) {
    const signed = v128.or(f32x4.splat(1), v128.and(x, i32x4.splat(<i32>0x80000000)))
    return v128.bitselect(signed, x, f32x4.gt(f32x4.abs(x), f32x4.splat(0)))
  }
  if (op == 18) return f32x4.trunc(x)
  if (op == 30) {
    const negative = v128.and(f32x4.eq(x, f32x4.splat(-Infinity)), f32x4.ne(alpha, f32x4.splat(0)))
    const positive = v128.and(f32x4.eq(x, f32x4.splat(Infinity)), f32x4.ne(beta, f32x4.splat(0)))
    return truth(v128.or(negative, positive))
  }
  if (op == 31) return truth(f32x4.ne(x, x))
  if (op == 32) return truth(f32x4.eq(x, f32x4.splat(0)))
  if (op == 33) return truth(f32x4.ne(x, f32x4.splat(0)))
  if (op == 34) return gated(x, halfAbove(erf4(f32x4.mul(x, f32x4.splat(0.70710678118654752)))))
  if (op == 35) {
    const cube = f32x4.mul(f32x4.mul(x, x), x)
    const inside = f32x4.add(x, f32x4.mul(cube, f32x4.splat(0.044715)))
    return gated(x, halfAbove(tanh4(f32x4.mul(inside, f32x4.splat(0.79788456080286536)))))
  }
  if (op == 36) return gated(x, mishGate(x))
  if (op == 37) return below(x, f32x4.mul(alpha, expm14(f32x4.div(x, alpha))))
  if (op == 38) return below(x, f32x4.mul(alpha, expm14(x)))
  if (op == 39) return f32x4.mul(beta, below(x, f32x4.mul(alpha, expm14(x))))
  if (op == 40) {
    const tail = log1p4(exp4(f32x4.neg(f32x4.abs(x))))
    return f32x4.add(f32x4.pmax(x, f32x4.splat(0)), tail)
  }
  if (op == 41) {
    const size = f32x4.abs(x)
    const slope = f32x4.div(x, f32x4.add(size, f32x4.splat(1)))
    const end = v128.or(f32x4.splat(1), v128.and(x, i32x4.splat(<i32>0x80000000)))
    return v128.bitselect(end, slope, f32x4.eq(size, f32x4.splat(Infinity)))
  }
  return v128.andnot(x, f32x4.le(x, alpha))
}

/** Trigonometry, hyperbolic functions and their inverses, one at a time; `op` as above. */
function one(op: u32, x: f64): f64 {
  switch (op) {
    case 19: return circular64(0, x)
    case 20: return circular64(1, x)
    case 21: return circular64(2, x)
    case 22: return asin64(x)
    case 23: return acos64(x)
    case 24: return atan64(x)
    case 25: return sinh64(x)
    case 26: return cosh64(x)
    case 27: return asinh64(x)
    case 28: return acosh64(x)
    default: return atanh64(x)
  }
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
  if (op >= 19 && op <= 29) {
    for (let i: u32 = 0; i < count; i++) store<f32>(y + (i << 2), <f32>one(op, <f64>load<f32>(x + (i << 2))))
    return
  }
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
    case 15: all(15, x, y, count, a, b); break
    case 16: all(16, x, y, count, a, b); break
    case 17: all(17, x, y, count, a, b); break
    case 18: all(18, x, y, count, a, b); break
    case 30: all(30, x, y, count, a, b); break
    case 31: all(31, x, y, count, a, b); break
    case 32: all(32, x, y, count, a, b); break
    case 33: all(33, x, y, count, a, b); break
    case 34: all(34, x, y, count, a, b); break
    case 35: all(35, x, y, count, a, b); break
    case 36: all(36, x, y, count, a, b); break
    case 37: all(37, x, y, count, a, b); break
    case 38: all(38, x, y, count, a, b); break
    case 39: all(39, x, y, count, a, b); break
    case 40: all(40, x, y, count, a, b); break
    case 41: all(41, x, y, count, a, b); break
    default: all(42, x, y, count, a, b)
  }
}
