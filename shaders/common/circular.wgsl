// Functions of angles and of areas under hyperbolas, and their inverses, to a few units in the last place on every driver,
// where WGSL's own allow thousands. Needs common/math.wgsl.
//
// Numerics: angles up to 1e5; NaN stays, and where a function has no value the result is NaN.
// Source: Cephes sinf, asinf, atanf, sinhf, asinhf, acoshf, atanhf, expm1 and log1p from the parts of expf and logf.

// NaN by its bits; `x` keeps the compiler from seeing a constant.
fn nan_like(x: f32) -> f32 {
  return bitcast<f32>(0x7fc00000u | (bitcast<u32>(x) & 0u));
}

fn is_infinite(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u;
}

struct Angle {
  // Of the angle without its quarter turns, within an eighth of a turn.
  sine: f32,
  cosine: f32,
  quarter: u32,
}

fn angle_of(x: f32) -> Angle {
  let n = round(x * 0.636619772);
  // A quarter turn in parts of 8 bits, whose products with n are exact.
  var r = x - n * 1.5703125;
  r -= n * 4.825592041015625e-4;
  r -= n * 1.2665987014770508e-6;
  r -= n * 9.920935795e-10;
  let z = r * r;
  let sine = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
  let cosine = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z - 0.5 * z + 1.0;
  return Angle(sine, cosine, u32(i32(n)) & 3u);
}

// quarters 0: sine; 1: cosine, a quarter turn on.
fn wave(x: f32, quarters: u32) -> f32 {
  if (is_infinite(x)) {
    return nan_like(x);
  }
  let angle = angle_of(x);
  let quarter = (angle.quarter + quarters) & 3u;
  let size = select(angle.sine, angle.cosine, (quarter & 1u) == 1u);
  return select(size, -size, quarter >= 2u);
}

fn tan_f32(x: f32) -> f32 {
  if (is_infinite(x)) {
    return nan_like(x);
  }
  let angle = angle_of(x);
  if ((angle.quarter & 1u) == 1u) {
    return -angle.cosine / angle.sine;
  }
  return angle.sine / angle.cosine;
}

// For |x| <= 1/2.
fn asin_small(x: f32) -> f32 {
  let z = x * x;
  var p = 4.2163199048e-2 * z + 2.4181311049e-2;
  p = p * z + 4.5470025998e-2;
  p = p * z + 7.4953002686e-2;
  p = p * z + 1.6666752422e-1;
  return p * z * x + x;
}

fn asin_f32(x: f32) -> f32 {
  let size = abs(x);
  if (size > 1.0) {
    return nan_like(x);
  }
  if (size <= 0.5) {
    return asin_small(x);
  }
  let angle = 1.57079633 - 2.0 * asin_small(sqrt(0.5 * (1.0 - size)));
  return select(angle, -angle, x < 0.0);
}

fn acos_f32(x: f32) -> f32 {
  let size = abs(x);
  if (size > 1.0) {
    return nan_like(x);
  }
  if (size <= 0.5) {
    return 1.57079633 - asin_small(x);
  }
  let angle = 2.0 * asin_small(sqrt(0.5 * (1.0 - size)));
  return select(angle, 3.14159265 - angle, x < 0.0);
}

fn atan_f32(x: f32) -> f32 {
  let size = abs(x);
  var y = 0.0;
  var t = size;
  if (is_infinite(x)) {
    y = 1.57079633;
    t = 0.0;
  } else if (size > 2.41421356) {
    y = 1.57079633;
    t = -1.0 / size;
  } else if (size > 0.414213562) {
    y = 0.785398163;
    t = (size - 1.0) / (size + 1.0);
  }
  let z = t * t;
  y += (((8.05374449538e-2 * z - 1.38776856032e-1) * z + 1.99777106478e-1) * z - 3.33329491539e-1) * z * t + t;
  return select(y, -y, x < 0.0);
}

fn sinh_f32(x: f32) -> f32 {
  let size = abs(x);
  if (size < 1.0) {
    let z = x * x;
    return ((2.03721912945e-4 * z + 8.33028376239e-3) * z + 1.66667160211e-1) * z * x + x;
  }
  // Half of e^|x|, which may be finite where e^|x| is not.
  let half = exp_f32(size - 0.693147181);
  let y = half - 0.25 / half;
  return select(y, -y, x < 0.0);
}

fn cosh_f32(x: f32) -> f32 {
  let half = exp_f32(abs(x) - 0.693147181);
  return half + 0.25 / half;
}

fn asinh_f32(x: f32) -> f32 {
  let size = abs(x);
  if (size < 0.5) {
    let z = x * x;
    var p = 2.0122003309e-2 * z - 4.2699340972e-2;
    p = p * z + 7.4847586088e-2;
    p = p * z - 1.6666288134e-1;
    return p * z * x + x;
  }
  var y = 0.0;
  if (size > 1500.0) {
    y = log_f32(size) + 0.693147181;
  } else {
    y = log_f32(size + sqrt(size * size + 1.0));
  }
  return select(y, -y, x < 0.0);
}

fn acosh_f32(x: f32) -> f32 {
  if (x < 1.0) {
    return nan_like(x);
  }
  if (x > 1500.0) {
    return log_f32(x) + 0.693147181;
  }
  let t = x - 1.0;
  if (t < 0.5) {
    var p = 1.7596881071e-3 * t - 7.5272886713e-3;
    p = p * t + 2.6454905019e-2;
    p = p * t - 1.1784741703e-1;
    p = p * t + 1.4142135263;
    return p * sqrt(t);
  }
  return log_f32(x + sqrt(t * (x + 1.0)));
}

fn atanh_f32(x: f32) -> f32 {
  let size = abs(x);
  if (size > 1.0) {
    return nan_like(x);
  }
  if (size == 1.0) {
    return bitcast<f32>(0x7f800000u | (bitcast<u32>(x) & 0x80000000u));
  }
  if (size < 0.5) {
    let z = x * x;
    var p = 1.81740078349e-1 * z + 8.24370301058e-2;
    p = p * z + 1.46691431730e-1;
    p = p * z + 1.99782164500e-1;
    p = p * z + 3.33337300303e-1;
    return p * z * x + x;
  }
  let y = 0.5 * log_f32((1.0 + size) / (1.0 - size));
  return select(y, -y, x < 0.0);
}

// e^x - 1 without the loss near 0.
fn expm1_f32(x: f32) -> f32 {
  if (abs(x) > 0.34) {
    return exp_f32(x) - 1.0;
  }
  var p = 1.9875691500e-4;
  p = p * x + 1.3981999507e-3;
  p = p * x + 8.3334519073e-3;
  p = p * x + 4.1665795894e-2;
  p = p * x + 1.6666665459e-1;
  p = p * x + 5.0000001201e-1;
  return p * x * x + x;
}

// ln(1 + x) for x >= 0 without the loss near 0.
fn log1p_f32(x: f32) -> f32 {
  if (x > 0.41) {
    return log_f32(1.0 + x);
  }
  let z = x * x;
  var p = 7.0376836292e-2;
  p = p * x - 1.1514610310e-1;
  p = p * x + 1.1676998740e-1;
  p = p * x - 1.2420140846e-1;
  p = p * x + 1.4249322787e-1;
  p = p * x - 1.6668057665e-1;
  p = p * x + 2.0000714765e-1;
  p = p * x - 2.4999993993e-1;
  p = p * x + 3.3333331174e-1;
  return p * z * x - 0.5 * z + x;
}
