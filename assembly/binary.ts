/**
 * binary: one function of two elements, with broadcasting and an activation.
 *
 * Shapes: y [dim0, …, dim5] dense, a and b walked by strides in elements. Params: src/compute/kernels/binary.ts. No scratch.
 * Numerics: one rounding; min and max pass NaN on; powers through double precision, remainders exact, one at a time.
 * Source: ONNX Add, Sub, Mul, Div, Min, Max, Pow, Mod, the comparisons and the logic, PRelu.
 */
import { pow64 } from './double'
import { activate, storeLanes } from './simd'

const POW: u32 = 6
const MOD: u32 = 7
const FMOD: u32 = 8
/** An operator of this file's own: a^3, whatever b is. */
// @ts-ignore: decorator
@inline
const CUBE: u32 = 19

/** 1 where the mask is set, else 0. */
// @ts-ignore: decorator
@inline
function truth(mask: v128): v128 {
  return v128.and(mask, f32x4.splat(1))
}

// @ts-ignore: decorator
@inline
function isSet(x: v128): v128 {
  return f32x4.ne(x, f32x4.splat(0))
}

/** One of the operators that go one at a time. */
function one(op: u32, a: f32, b: f32): f32 {
  if (op == POW) return b == 3 ? a * a * a : <f32>pow64(<f64>a, <f64>b)
  const rest = a % b
  return op == MOD && rest != 0 && rest < 0 != b < 0 ? rest + b : rest
}

/** `op` is a literal at every call, so one case remains of this. */
// @ts-ignore: decorator
@inline
function apply(op: u32, a: v128, b: v128): v128 {
  if (op == 0) return f32x4.add(a, b)
  if (op == 1) return f32x4.sub(a, b)
  if (op == 2) return f32x4.mul(a, b)
  if (op == 3) return f32x4.div(a, b)
  if (op == 4) return f32x4.min(a, b)
  if (op == 5) return f32x4.max(a, b)
  if (op == 9) return f32x4.trunc(f32x4.div(a, b))
  if (op == 10) return truth(f32x4.eq(a, b))
  if (op == 11) return truth(f32x4.lt(a, b))
  if (op == 12) return truth(f32x4.le(a, b))
  if (op == 13) return truth(f32x4.gt(a, b))
  if (op == 14) return truth(f32x4.ge(a, b))
  if (op == 15) return truth(v128.and(isSet(a), isSet(b)))
  if (op == 16) return truth(v128.or(isSet(a), isSet(b)))
  if (op == 17) return truth(v128.xor(isSet(a), isSet(b)))
  if (op == CUBE) return f32x4.mul(f32x4.mul(a, a), a)
  return v128.bitselect(f32x4.mul(a, b), a, f32x4.lt(a, f32x4.splat(0)))
}

/** Four elements: one after the other (stride 1), or one repeated (stride 0). */
// @ts-ignore: decorator
@inline
function loadStrided(at: usize, stride: i32): v128 {
  return stride ? v128.load(at) : v128.load32_splat(at)
}

// @ts-ignore: decorator
@inline
function line(
  op: u32, a: usize, b: usize, y: usize, count: u32, strideA: i32, strideB: i32, activation: u32, low: v128, high: v128,
): void {
  if ((strideA == 0 || strideA == 1) && (strideB == 0 || strideB == 1)) {
    for (let i: u32 = 0; i < count; i += 4) {
      const at = i << 2
      const value = apply(op, loadStrided(a + at * strideA, strideA), loadStrided(b + at * strideB, strideB))
      storeLanes(y + at, activate(value, activation, low, high), count - i)
    }
  } else {
    for (let i: u32 = 0; i < count; i++) {
      const value = apply(op, v128.load32_splat(a), v128.load32_splat(b))
      storeLanes(y + (i << 2), activate(value, activation, low, high), 1)
      a += strideA << 2
      b += strideB << 2
    }
  }
}

function slowLine(
  op: u32, a: usize, b: usize, y: usize, count: u32, strideA: i32, strideB: i32, activation: u32, low: v128, high: v128,
): void {
  for (let i: u32 = 0; i < count; i++) {
    const value = f32x4.splat(one(op, load<f32>(a), load<f32>(b)))
    storeLanes(y + (i << 2), activate(value, activation, low, high), 1)
    a += strideA << 2
    b += strideB << 2
  }
}

export function binary(
  a: usize, b: usize, y: usize, scratch: usize, op: u32,
  dim0: u32, dim1: u32, dim2: u32, dim3: u32, dim4: u32, dim5: u32,
  strideA0: i32, strideA1: i32, strideA2: i32, strideA3: i32, strideA4: i32, strideA5: i32,
  strideB0: i32, strideB1: i32, strideB2: i32, strideB3: i32, strideB4: i32, strideB5: i32,
  activation: u32, clipMin: f32, clipMax: f32,
): void {
  const low = f32x4.splat(clipMin), high = f32x4.splat(clipMax)
  for (let i0: u32 = 0; i0 < dim0; i0++) {
    for (let i1: u32 = 0; i1 < dim1; i1++) {
      for (let i2: u32 = 0; i2 < dim2; i2++) {
        for (let i3: u32 = 0; i3 < dim3; i3++) {
          for (let i4: u32 = 0; i4 < dim4; i4++) {
            const atA = a + ((i0 * strideA0 + i1 * strideA1 + i2 * strideA2 + i3 * strideA3 + i4 * strideA4) << 2)
            const atB = b + ((i0 * strideB0 + i1 * strideB1 + i2 * strideB2 + i3 * strideB3 + i4 * strideB4) << 2)
            switch (op) {
              case 0: line(0, atA, atB, y, dim5, strideA5, strideB5, activation, low, high); break
              case 1: line(1, atA, atB, y, dim5, strideA5, strideB5, activation, low, high); break
              case 2: line(2, atA, atB, y, dim5, strideA5, strideB5, activation, low, high); break
              case 3: line(3, atA, atB, y, dim5, strideA5, strideB5, activation, low, high); break
              case 4: line(4, atA, atB, y, dim5, strideA5, strideB5, activation, low, high); break
              case 5: line(5, atA, atB, y, dim5, strideA5, strideB5, activation, low, high); break
              case POW:
                // Squares and cubes are what `one` computes, to the bit.
                if (!strideB5 && load<f32>(atB) == 2) line(2, atA, atA, y, dim5, strideA5, strideA5, activation, low, high)
                else if (!strideB5 && load<f32>(atB) == 3) line(CUBE, atA, atA, y, dim5, strideA5, strideA5, activation, low, high)
                else slowLine(op, atA, atB, y, dim5, strideA5, strideB5, activation, low, high)
                break
              case MOD:
              case FMOD: slowLine(op, atA, atB, y, dim5, strideA5, strideB5, activation, low, high); break
              case 9: line(9, atA, atB, y, dim5, strideA5, strideB5, activation, low, high); break
              case 10: line(10, atA, atB, y, dim5, strideA5, strideB5, activation, low, high); break
              case 11: line(11, atA, atB, y, dim5, strideA5, strideB5, activation, low, high); break
              case 12: line(12, atA, atB, y, dim5, strideA5, strideB5, activation, low, high); break
              case 13: line(13, atA, atB, y, dim5, strideA5, strideB5, activation, low, high); break
              case 14: line(14, atA, atB, y, dim5, strideA5, strideB5, activation, low, high); break
              case 15: line(15, atA, atB, y, dim5, strideA5, strideB5, activation, low, high); break
              case 16: line(16, atA, atB, y, dim5, strideA5, strideB5, activation, low, high); break
              case 17: line(17, atA, atB, y, dim5, strideA5, strideB5, activation, low, high); break
              default: line(18, atA, atB, y, dim5, strideA5, strideB5, activation, low, high)
            }
            y += dim5 << 2
          }
        }
      }
    }
  }
}
