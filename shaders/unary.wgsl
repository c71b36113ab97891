// unary: one function of one element.
//
// y[i] = f(x[i]), f chosen by `op`; alpha and beta are f's constants where it has any.
// Shapes: x and y [count].
// Numerics: common/math.wgsl's functions; NaN passes through.
// Source: the ONNX operators of the same names.

struct Params {
  count: u32,
  op: u32,
  alpha: f32,
  beta: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
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

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * LANES + id.x;
  if (i < p.count) {
    let v = x[i];
    // Drivers differ in what their own functions make of NaN.
    y[i] = apply(v);
    if (is_nan(v)) {
      y[i] = v;
    }
  }
}
