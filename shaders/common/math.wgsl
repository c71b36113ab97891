// Elementary functions to a few units in the last place on every driver, where WGSL's own allow far more, and
// tests for NaN and infinity by bits, which drivers with fast arithmetic cannot optimise away.
//
// Source: Cephes expf, logf; Abramowitz and Stegun 7.1.6 for erf's series.

fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// 2^n for -126 <= n <= 127.
fn power_of_two(n: i32) -> f32 {
  return bitcast<f32>(u32(n + 127) << 23u);
}

// e^x. Through 2^n * e^r with |r| <= ln(2) / 2; ln(2) is taken off in two parts, so that r keeps its bits.
fn exp_f32(x: f32) -> f32 {
  if (is_nan(x)) {
    return x;
  }
  // Beyond these e^x is infinite or rounds to 0; between them n stays within -150 .. 128.
  let bounded = clamp(x, -104.0, 89.0);
  let n = floor(bounded * 1.44269504 + 0.5);
  let r = (bounded - n * 0.693359375) + n * 2.12194440e-4;
  var p = 1.9875691500e-4;
  p = p * r + 1.3981999507e-3;
  p = p * r + 8.3334519073e-3;
  p = p * r + 4.1665795894e-2;
  p = p * r + 1.6666665459e-1;
  p = p * r + 5.0000001201e-1;
  let e = p * r * r + r + 1.0;
  // In two factors, because 2^128 and 2^-150 are not numbers of this type.
  let half = i32(n) / 2;
  return e * power_of_two(half) * power_of_two(i32(n) - half);
}

// ln(x): x = m * 2^n with m in [sqrt(1/2), sqrt(2)).
fn log_f32(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  if (is_nan(x) || bits == 0x7f800000u) {
    return x;
  }
  if ((bits & 0x7fffffffu) == 0u) {
    return bitcast<f32>(0xff800000u | (bits & 0u));
  }
  if ((bits & 0x80000000u) != 0u) {
    return bitcast<f32>(0x7fc00000u | (bits & 0u));
  }
  // A subnormal number is its bits, as an integer, times 2^-149.
  let subnormal = bits < 0x00800000u;
  let normal = select(bits, bitcast<u32>(f32(bits)), subnormal);
  var n = i32(normal >> 23u) - select(126, 126 + 149, subnormal);
  var m = bitcast<f32>((normal & 0x007fffffu) | 0x3f000000u);
  if (m < 0.707106781) {
    n -= 1;
    m += m;
  }
  let t = m - 1.0;
  let z = t * t;
  var p = 7.0376836292e-2;
  p = p * t - 1.1514610310e-1;
  p = p * t + 1.1676998740e-1;
  p = p * t - 1.2420140846e-1;
  p = p * t + 1.4249322787e-1;
  p = p * t - 1.6668057665e-1;
  p = p * t + 2.0000714765e-1;
  p = p * t - 2.4999993993e-1;
  p = p * t + 3.3333331174e-1;
  let exponent = f32(n);
  var y = t * z * p - 2.12194440e-4 * exponent;
  y -= 0.5 * z;
  return t + y + 0.693359375 * exponent;
}

// (e^x - e^-x) / (e^x + e^-x): a polynomial near 0, where the quotient would lose its bits; 1 far out.
fn tanh_f32(x: f32) -> f32 {
  if (is_nan(x)) {
    return x;
  }
  let z = abs(x);
  if (z < 0.625) {
    let s = x * x;
    var p = -5.70498872745e-3;
    p = p * s + 2.06390887954e-2;
    p = p * s - 5.37397155531e-2;
    p = p * s + 1.33314422036e-1;
    p = p * s - 3.33332819422e-1;
    return p * s * x + x;
  }
  let y = 1.0 - 2.0 / (exp_f32(2.0 * min(z, 20.0)) + 1.0);
  return select(y, -y, x < 0.0);
}

// 1 / (1 + e^-x). e^-x is kept finite, so that the quotient goes to 0 without an infinity.
fn sigmoid_f32(x: f32) -> f32 {
  if (is_nan(x)) {
    return x;
  }
  return 1.0 / (1.0 + exp_f32(-clamp(x, -88.0, 88.0)));
}

// erf: its series below 1, and above it 1 - e^(-x^2) times a polynomial (Numerical Recipes' erfc, 1.2e-7 relative).
fn erf_f32(x: f32) -> f32 {
  if (is_nan(x)) {
    return x;
  }
  let z = min(abs(x), 6.0);
  if (z < 1.0) {
    var term = x;
    var sum = x;
    for (var n = 1; n < 14; n++) {
      term *= -(x * x) / f32(n);
      sum += term / f32(2 * n + 1);
    }
    return 1.12837917 * sum;
  }
  let t = 1.0 / (1.0 + 0.5 * z);
  var p = 0.17087277;
  p = p * t - 0.82215223;
  p = p * t + 1.48851587;
  p = p * t - 1.13520398;
  p = p * t + 0.27886807;
  p = p * t - 0.18628806;
  p = p * t + 0.09678418;
  p = p * t + 0.37409196;
  p = p * t + 1.00002368;
  p = p * t - 1.26551223;
  let y = 1.0 - t * exp_f32(p - z * z);
  return select(y, -y, x < 0.0);
}
