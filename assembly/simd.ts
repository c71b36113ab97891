/**
 * What the kernels share: the fused or separate multiply-add, epilogues, partial stores, and functions of four floats.
 *
 * No statics and no allocation here or in any kernel: all instances share one memory, which the host owns. Vectors may be
 * loaded beyond an operand's end (the host keeps slack behind everything), but never stored there.
 */

/** Values of the param `activation`. */
export const ACTIVATION_NONE: u32 = 0
export const ACTIVATION_RELU: u32 = 1
export const ACTIVATION_CLIP: u32 = 2

/** a * b + c; one rounding where the machine fuses, which the host finds out with `fused`. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c)
  return f32x4.add(f32x4.mul(a, b), c)
}

/**
 * Between two bounds; NaN stays. One instruction each, where f32x4.min and max take seven and more for the sake of a NaN
 * in either: pmax(x, low) is x unless x < low.
 */
// @ts-ignore: decorator
@inline
export function bound(x: v128, low: v128, high: v128): v128 {
  return f32x4.pmin(f32x4.pmax(x, low), high)
}

/** NaN stays, see `bound`. */
// @ts-ignore: decorator
@inline
export function activate(x: v128, activation: u32, low: v128, high: v128): v128 {
  if (activation == ACTIVATION_RELU) return f32x4.pmax(x, f32x4.splat(0))
  if (activation == ACTIVATION_CLIP) return bound(x, low, high)
  return x
}

/** Stores the first `count` (1 to 4; more: all 4) lanes. */
// @ts-ignore: decorator
@inline
export function storeLanes(at: usize, x: v128, count: u32): void {
  if (count >= 4) {
    v128.store(at, x)
  } else {
    store<f32>(at, f32x4.extract_lane(x, 0))
    if (count > 1) store<f32>(at, f32x4.extract_lane(x, 1), 4)
    if (count > 2) store<f32>(at, f32x4.extract_lane(x, 2), 8)
  }
}

/** A power of two whose exponent is in [-126, 127]. */
// @ts-ignore: decorator
@inline
function pow2(n: v128): v128 {
  return i32x4.shl(i32x4.add(n, i32x4.splat(127)), 23)
}

/**
 * exp, within 2 units in the last place; saturates to 0 and infinity. x = n ln 2 + r, a polynomial in r, times 2^n in
 * two factors so that n may leave the range of one exponent. Source: Cephes, expf.
 */
export function exp4(x: v128): v128 {
  x = bound(x, f32x4.splat(-104), f32x4.splat(89))
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.44269504088896341)))
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)))
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-2.12194440e-4)))
  let p = f32x4.splat(1.9875691500e-4)
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.3981999507e-3))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.3334519073e-3))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.1665795894e-2))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.6666665459e-1))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(5.0000001201e-1))
  p = f32x4.add(f32x4.add(f32x4.mul(f32x4.mul(p, r), r), r), f32x4.splat(1))
  const whole = i32x4.trunc_sat_f32x4_s(n)
  const half = i32x4.shr_s(whole, 1)
  return f32x4.mul(f32x4.mul(p, pow2(half)), pow2(i32x4.sub(whole, half)))
}

/** exp(x) - 1 without the loss near 0: 2^n (e^r - 1) + (2^n - 1), with exp4's r and polynomial. For x <= 88. */
export function expm14(x: v128): v128 {
  x = f32x4.pmax(x, f32x4.splat(-87))
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.44269504088896341)))
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)))
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-2.12194440e-4)))
  let p = f32x4.splat(1.9875691500e-4)
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.3981999507e-3))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.3334519073e-3))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.1665795894e-2))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.6666665459e-1))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(5.0000001201e-1))
  p = f32x4.add(f32x4.mul(f32x4.mul(p, r), r), r)
  const scale = pow2(i32x4.trunc_sat_f32x4_s(n))
  return f32x4.add(f32x4.mul(p, scale), f32x4.sub(scale, f32x4.splat(1)))
}

/** ln(1 + x) for x >= 0, relative to its size: the rounding of 1 + x is added back. */
export function log1p4(x: v128): v128 {
  const one = f32x4.splat(1)
  const u = f32x4.add(one, x)
  return f32x4.add(log4(u), f32x4.div(f32x4.sub(x, f32x4.sub(u, one)), u))
}

/** Natural logarithm; subnormal numbers count with their value. Source: Cephes, logf. */
export function log4(x: v128): v128 {
  const tiny = f32x4.lt(x, f32x4.splat(1.17549435e-38))
  let m = v128.bitselect(f32x4.mul(x, f32x4.splat(8388608)), x, tiny)
  let e = i32x4.sub(i32x4.shr_u(m, 23), i32x4.splat(126))
  e = i32x4.sub(e, v128.and(tiny, i32x4.splat(23)))
  // m in [0.5, 1), then in [sqrt(1/2), sqrt 2) around 1
  m = v128.or(v128.and(m, i32x4.splat(0x007fffff)), i32x4.splat(0x3f000000))
  const small = f32x4.lt(m, f32x4.splat(0.70710678118654752))
  e = i32x4.add(e, small) // the mask is -1
  m = f32x4.sub(f32x4.add(m, v128.and(m, small)), f32x4.splat(1))
  const z = f32x4.mul(m, m)
  let p = f32x4.splat(7.0376836292e-2)
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(-1.1514610310e-1))
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(1.1676998740e-1))
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(-1.2420140846e-1))
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(1.4249322787e-1))
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(-1.6668057665e-1))
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(2.0000714765e-1))
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(-2.4999993993e-1))
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(3.3333331174e-1))
  const n = f32x4.convert_i32x4_s(e)
  let y = f32x4.mul(f32x4.mul(p, m), z)
  y = f32x4.add(y, f32x4.mul(n, f32x4.splat(-2.12194440e-4)))
  y = f32x4.sub(y, f32x4.mul(z, f32x4.splat(0.5)))
  y = f32x4.add(f32x4.add(m, y), f32x4.mul(n, f32x4.splat(0.693359375)))
  const infinity = f32x4.splat(Infinity)
  y = v128.bitselect(x, y, f32x4.eq(x, infinity))
  y = v128.bitselect(f32x4.neg(infinity), y, f32x4.eq(x, f32x4.splat(0)))
  // Below zero, and for NaN: not >= 0.
  return v128.bitselect(y, f32x4.splat(NaN), f32x4.ge(x, f32x4.splat(0)))
}

/** tanh: a polynomial near 0, from exp elsewhere. Source: Cephes, tanhf. */
export function tanh4(x: v128): v128 {
  const z = f32x4.mul(x, x)
  let p = f32x4.splat(-5.70498872745e-3)
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(2.06390887954e-2))
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(-5.37397155531e-2))
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(1.33314422036e-1))
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(-3.33332819422e-1))
  p = f32x4.add(f32x4.mul(f32x4.mul(p, z), x), x)
  const a = f32x4.abs(x)
  const e = exp4(f32x4.mul(a, f32x4.splat(-2)))
  const one = f32x4.splat(1)
  const far = f32x4.div(f32x4.sub(one, e), f32x4.add(one, e))
  const signed = v128.or(far, v128.and(x, i32x4.splat(<i32>0x80000000)))
  return v128.bitselect(p, signed, f32x4.lt(a, f32x4.splat(0.625)))
}

/** erf as x P(x^2) / Q(x^2) on [-4, 4], within 5e-7; beyond, it is +-1 in float32. Source: Eigen, generic_fast_erf_float. */
export function erf4(x: v128): v128 {
  x = bound(x, f32x4.splat(-4), f32x4.splat(4))
  const z = f32x4.mul(x, x)
  let p = f32x4.splat(-2.72614225801306e-10)
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(2.77068142495902e-8))
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(-2.10102402082508e-6))
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(-5.69250639462346e-5))
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(-7.34990630326855e-4))
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(-2.95459980854025e-3))
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(-1.60960333262415e-2))
  let q = f32x4.splat(-1.45660718464996e-5)
  q = f32x4.add(f32x4.mul(q, z), f32x4.splat(-2.13374055278905e-4))
  q = f32x4.add(f32x4.mul(q, z), f32x4.splat(-1.68282697438203e-3))
  q = f32x4.add(f32x4.mul(q, z), f32x4.splat(-7.37332916720468e-3))
  q = f32x4.add(f32x4.mul(q, z), f32x4.splat(-1.42647390514189e-2))
  return f32x4.div(f32x4.mul(x, p), q)
}

/** 1 when `madd` rounds once: (1 + e)(1 + e) - (1 + 2e) is e^2 then, and 0 when the product was rounded. */
export function fused(): i32 {
  const a = f32x4.splat(1.000244140625) // 1 + 2^-12
  const c = f32x4.splat(-1.00048828125) // -(1 + 2^-11)
  return f32x4.extract_lane(madd(a, a, c), 0) != 0 ? 1 : 0
}
