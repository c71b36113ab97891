// unary: one function of one element.
//
// y[i] = f(x[i]), f chosen by `op`; alpha and beta are f's constants where it has any.
// Shapes: x and y [count].
// Constants from the host: LANES; RARE, true for the functions that networks seldom use.
// Numerics: the functions of common/math.wgsl and common/circular.wgsl. Tests give 0 or 1, and NaN is not zero; through all
//           others NaN passes.
// Source: the ONNX operators of the same names.

struct Params {
  count: u32,
  op: u32,
  alpha: f32,
  beta: f32,
}

@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read_write> y: array<Y>;
@group(0) @binding(2) var<uniform> p: Params;

// min(max(v, low), high); NaN passes through.
fn bound(v: f32, low: f32, high: f32) -> f32 {
  let raised = select(v, low, v < low);
  return select(raised, high, raised > high);
}

fn apply(v: f32) -> f32 {
  switch (p.op) {
    case 0u: { return -v; }
    case 1u: { return abs(v); }
    case 2u: { return sqrt(v); }
    case 3u: { return exp_f32(v); }
    case 4u: { return log_f32(v); }
    case 5u: { return 1.0 / v; }
    case 6u: { return floor(v); }
    case 7u: { return ceil(v); }
    case 8u: { return select(v, 0.0, v < 0.0); }
    case 9u: { return select(v, p.alpha * v, v < 0.0); }
    case 10u: { return bound(v, p.alpha, p.beta); }
    case 11u: { return sigmoid_f32(v); }
    case 12u: { return tanh_f32(v); }
    case 13u: { return erf_f32(v); }
    case 14u: { return bound(p.alpha * v + p.beta, 0.0, 1.0); }
    default: { return v * bound(v / 6.0 + 0.5, 0.0, 1.0); }
  }
}

// x times a gate that closes faster than x falls: 0 at -infinity.
fn gated(v: f32, gate: f32) -> f32 {
  if (gate == 0.0) {
    return 0.0;
  }
  return v * gate;
}

fn sign_like(v: f32) -> f32 {
  return select(1.0, -1.0, v < 0.0);
}

fn apply_rare(v: f32) -> f32 {
  switch (p.op) {
    case 16u: { return round(v); }
    case 17u: { return select(sign_like(v), v, v == 0.0); }
    case 18u: { return trunc(v); }
    case 19u: { return wave(v, 0u); }
    case 20u: { return wave(v, 1u); }
    case 21u: { return tan_f32(v); }
    case 22u: { return asin_f32(v); }
    case 23u: { return acos_f32(v); }
    case 24u: { return atan_f32(v); }
    case 25u: { return sinh_f32(v); }
    case 26u: { return cosh_f32(v); }
    case 27u: { return asinh_f32(v); }
    case 28u: { return acosh_f32(v); }
    case 29u: { return atanh_f32(v); }
    case 30u: { return select(0.0, 1.0, is_infinite(v) && select(p.beta, p.alpha, v < 0.0) != 0.0); }
    case 31u: { return select(0.0, 1.0, is_nan(v)); }
    case 32u: { return select(0.0, 1.0, v == 0.0 && !is_nan(v)); }
    case 33u: { return select(1.0, 0.0, v == 0.0 && !is_nan(v)); }
    case 34u: { return gated(v, 0.5 * (1.0 + erf_f32(v * 0.707106781))); }
    case 35u: { return gated(v, 0.5 * (1.0 + tanh_f32(0.797884561 * (v + 0.044715 * v * v * v)))); }
    case 36u: {
      // tanh(ln(1 + w)) with w = e^v; beyond 20 it is 1.
      let w = exp_f32(min(v, 20.0));
      let q = w * (w + 2.0);
      return gated(v, q / (q + 2.0));
    }
    case 37u: { return select(v, p.alpha * expm1_f32(min(v, 0.0) / p.alpha), v < 0.0); }
    case 38u: { return select(v, p.alpha * expm1_f32(min(v, 0.0)), v < 0.0); }
    case 39u: { return p.beta * select(v, p.alpha * expm1_f32(min(v, 0.0)), v < 0.0); }
    case 40u: { return max(v, 0.0) + log1p_f32(exp_f32(-abs(v))); }
    case 41u: {
      if (is_infinite(v)) {
        return sign_like(v);
      }
      return v / (1.0 + abs(v));
    }
    default: { return select(0.0, v, v > p.alpha); }
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * LANES + id.x;
  if (i < p.count) {
    let v = f32(x[i]);
    // Drivers differ in what their own functions make of NaN.
    if (is_nan(v) && (p.op < 30u || p.op > 33u)) {
      y[i] = Y(v);
    } else if (RARE) {
      y[i] = Y(apply_rare(v));
    } else {
      y[i] = Y(apply(v));
    }
  }
}
