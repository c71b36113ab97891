/**
 * Elementary functions of one number in double precision, for operators that are rare: rounded to float32 they are right
 * to the last place, or nearly so. No tables, because kernels have no statics.
 *
 * Source: fdlibm (Sun Microsystems, 1993) for the polynomials of log, sin, cos and atan, and its split of pi / 2.
 */

/** e^x; saturates to 0 and infinity. */
export function exp64(x: f64): f64 {
  if (x != x) return x
  if (x > 709.0) return Infinity
  if (x < -708.0) return 0
  const n = nearest<f64>(x * 1.4426950408889634)
  const r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10
  return (1.0 + expm1Near(r)) * reinterpret<f64>((<i64>n + 1023) << 52)
}

/** e^r - 1 for |r| <= 0.36: Taylor's series, whose next term is below 1e-18. */
function expm1Near(r: f64): f64 {
  let p = 1.0 / 87178291200.0
  p = p * r + 1.0 / 6227020800.0
  p = p * r + 1.0 / 479001600.0
  p = p * r + 1.0 / 39916800.0
  p = p * r + 1.0 / 3628800.0
  p = p * r + 1.0 / 362880.0
  p = p * r + 1.0 / 40320.0
  p = p * r + 1.0 / 5040.0
  p = p * r + 1.0 / 720.0
  p = p * r + 1.0 / 120.0
  p = p * r + 1.0 / 24.0
  p = p * r + 1.0 / 6.0
  p = p * r + 0.5
  return p * r * r + r
}

/** e^x - 1 without the loss near 0. */
function expm164(x: f64): f64 {
  return abs(x) < 0.35 ? expm1Near(x) : exp64(x) - 1.0
}

/** Natural logarithm; -infinity at 0, NaN below. */
export function log64(x: f64): f64 {
  if (x == 0) return -Infinity
  if (!(x > 0)) return NaN
  if (x == Infinity) return x
  const bits = reinterpret<i64>(x)
  let n = (bits >> 52) - 1023
  let m = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000)
  if (m > 1.4142135623730951) {
    m *= 0.5
    n += 1
  }
  const f = m - 1.0
  const s = f / (2.0 + f)
  const z = s * s
  let p = 1.479819860511658591e-01
  p = p * z + 1.531383769920937332e-01
  p = p * z + 1.818357216161805012e-01
  p = p * z + 2.222219843214978396e-01
  p = p * z + 2.857142874366239149e-01
  p = p * z + 3.999999999940941908e-01
  p = p * z + 6.666666666666735130e-01
  const half = 0.5 * f * f
  const k = <f64>n
  return k * 6.93147180369123816490e-01 - ((half - (s * (half + p * z) + k * 1.90821492927058770002e-10)) - f)
}

/** ln(1 + x), relative to its size: the rounding of 1 + x is taken back. */
function log1p64(x: f64): f64 {
  const u = 1.0 + x
  return u == 1.0 ? x : log64(u) * (x / (u - 1.0))
}

/** IEEE 754's pow for numbers that were float32: x^0 = 1^y = 1. */
export function pow64(x: f64, y: f64): f64 {
  if (y == 0 || x == 1.0) return 1.0
  if (x != x || y != y) return NaN
  if (y == 2.0) return x * x
  const a = abs(x)
  if (abs(y) == Infinity) return a == 1.0 ? 1.0 : a > 1.0 == y > 0 ? Infinity : 0
  const whole = floor<f64>(y) == y
  if (x < 0 && a != Infinity && !whole) return NaN
  const odd = whole && floor<f64>(y * 0.5) * 2.0 != y
  const size = exp64(y * log64(a))
  return x < 0 && odd ? -size : size
}

function sinNear(r: f64): f64 {
  const z = r * r
  let p = 1.58969099521155010221e-10
  p = p * z - 2.50507602534068634195e-08
  p = p * z + 2.75573137070700676789e-06
  p = p * z - 1.98412698298579493134e-04
  p = p * z + 8.33333333332248946124e-03
  p = p * z - 1.66666666666666324348e-01
  return p * z * r + r
}

function cosNear(r: f64): f64 {
  const z = r * r
  let p = -1.13596475577881948265e-11
  p = p * z + 2.08757232129817482790e-09
  p = p * z - 2.75573143513906633035e-07
  p = p * z + 2.48015872894767294178e-05
  p = p * z - 1.38888888888741095749e-03
  p = p * z + 4.16666666666666019037e-02
  return 1.0 - (0.5 * z - p * z * z)
}

/** sin (part 0), cos (part 1) or tan (part 2). Beyond 1e9 the quarter turns are no longer counted right. */
export function circular64(part: u32, x: f64): f64 {
  if (!(abs(x) < Infinity)) return NaN
  const n = nearest<f64>(x * 0.6366197723675814)
  const r = (x - n * 1.57079632673412561417) - n * 6.07710050650619224932e-11
  const bounded = min(max(r, -0.79), 0.79) // so that no argument gives more than 1
  const quarter = <u32>(n - 4.0 * floor<f64>(n * 0.25))
  const sine = sinNear(bounded), cosine = cosNear(bounded)
  if (part == 2) return quarter & 1 ? -cosine / sine : sine / cosine
  const turned = (quarter + part) & 3
  const size = turned & 1 ? cosine : sine
  return turned & 2 ? -size : size
}

export function atan64(x: f64): f64 {
  if (x != x) return x
  const a = abs(x)
  let t = a > 1.0 ? 1.0 / a : a
  const far = t > 0.4142135623730951
  if (far) t = (t - 1.0) / (t + 1.0)
  const z = t * t
  let p = 1.62858201153657823623e-02
  p = p * z - 3.65315727442169155270e-02
  p = p * z + 4.97687799461593236017e-02
  p = p * z - 5.83357013379057348645e-02
  p = p * z + 6.66107313738753120669e-02
  p = p * z - 7.69187620504482999495e-02
  p = p * z + 9.09088713343650656196e-02
  p = p * z - 1.11111104054623557880e-01
  p = p * z + 1.42857142725034663711e-01
  p = p * z - 1.99999999998764832476e-01
  p = p * z + 3.33333333333329318027e-01
  let angle = t - t * z * p
  if (far) angle += 0.7853981633974483
  if (a > 1.0) angle = 1.5707963267948966 - angle
  return copysign<f64>(angle, x)
}

/** The quotient under the root is infinite at the ends, and NaN beyond them. */
export function asin64(x: f64): f64 {
  return atan64(x / sqrt<f64>((1.0 - x) * (1.0 + x)))
}

export function acos64(x: f64): f64 {
  return 2.0 * atan64(sqrt<f64>((1.0 - x) / (1.0 + x)))
}

export function sinh64(x: f64): f64 {
  const e = expm164(abs(x))
  const size = e == Infinity ? e : 0.5 * (e + e / (e + 1.0))
  return copysign<f64>(size, x)
}

export function cosh64(x: f64): f64 {
  return 0.5 * (exp64(x) + exp64(-x))
}

export function asinh64(x: f64): f64 {
  const a = abs(x)
  const size = a > 1e15 ? log64(a) + 0.6931471805599453 : log1p64(a + (a * a) / (1.0 + sqrt<f64>(1.0 + a * a)))
  return x != x ? x : copysign<f64>(size, x)
}

export function acosh64(x: f64): f64 {
  if (!(x >= 1.0)) return NaN
  if (x > 1e15) return log64(x) + 0.6931471805599453
  const t = x - 1.0
  return log1p64(t + sqrt<f64>(t * (t + 2.0)))
}

export function atanh64(x: f64): f64 {
  const a = abs(x)
  if (!(a <= 1.0)) return NaN
  const size = a == 1.0 ? Infinity : 0.5 * log1p64((2.0 * a) / (1.0 - a))
  return copysign<f64>(size, x)
}
