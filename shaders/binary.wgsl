// binary: one function of two elements, with broadcasting and an activation.
//
// y[i0..i5] = act(f(a[sum of i*strideA], b[sum of i*strideB])), f chosen by `op`; y is dense.
// Shapes: y [dim0, dim1, dim2, dim3, dim4, dim5]; a stride of 0 repeats.
// Constants from the host: LANES; FLAT, true when dim0 to dim4 are 1; RARE, true for the functions beyond max.
// Numerics: one rounding (a quotient: as the driver divides). min and max give NaN if either is NaN. Remainders and whole
//           quotients are exact; comparisons give 0 or 1, and NaN is true in logic.
// Source: ONNX operators Add, Sub, Mul, Div, Min, Max, Pow, Mod, Equal, Less, Greater, And, Or, Xor, PRelu.

struct Params {
  op: u32,
  dim0: u32,
  dim1: u32,
  dim2: u32,
  dim3: u32,
  dim4: u32,
  dim5: u32,
  strideA0: i32,
  strideA1: i32,
  strideA2: i32,
  strideA3: i32,
  strideA4: i32,
  strideA5: i32,
  strideB0: i32,
  strideB1: i32,
  strideB2: i32,
  strideB3: i32,
  strideB4: i32,
  strideB5: i32,
  activation: u32,
  clipMin: f32,
  clipMax: f32,
}

@group(0) @binding(0) var<storage, read> a: array<A>;
@group(0) @binding(1) var<storage, read> b: array<B>;
@group(0) @binding(2) var<storage, read_write> y: array<Y>;
@group(0) @binding(3) var<uniform> p: Params;

fn apply(u: f32, v: f32) -> f32 {
  switch (p.op) {
    case 0u: { return u + v; }
    case 1u: { return u - v; }
    case 2u: { return u * v; }
    case 3u: { return u / v; }
    default: {
      if (is_nan(u)) { return u; }
      if (is_nan(v)) { return v; }
      return select(select(v, u, u > v), select(v, u, u < v), p.op == 4u);
    }
  }
}

fn holds(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) != 0u;
}

fn truth(yes: bool) -> f32 {
  return select(0.0, 1.0, yes);
}

fn apply_rare(u: f32, v: f32) -> f32 {
  let ordered = !is_nan(u) && !is_nan(v);
  switch (p.op) {
    case 6u: { return pow_f32(u, v); }
    case 7u: { return modulo_f32(u, v); }
    case 8u: { return remainder_f32(u, v); }
    case 9u: { return whole_quotient(u, v); }
    case 10u: { return truth(ordered && u == v); }
    case 11u: { return truth(ordered && u < v); }
    case 12u: { return truth(ordered && u <= v); }
    case 13u: { return truth(ordered && u > v); }
    case 14u: { return truth(ordered && u >= v); }
    case 15u: { return truth(holds(u) && holds(v)); }
    case 16u: { return truth(holds(u) || holds(v)); }
    case 17u: { return truth(holds(u) != holds(v)); }
    default: { return select(u, u * v, u < 0.0); }
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * LANES + id.x;
  if (at >= p.dim0 * p.dim1 * p.dim2 * p.dim3 * p.dim4 * p.dim5) {
    return;
  }
  var at_a = 0;
  var at_b = 0;
  if (FLAT) {
    at_a = i32(at) * p.strideA5;
    at_b = i32(at) * p.strideB5;
  } else {
    let i5 = i32(at % p.dim5);
    let rest5 = at / p.dim5;
    let i4 = i32(rest5 % p.dim4);
    let rest4 = rest5 / p.dim4;
    let i3 = i32(rest4 % p.dim3);
    let rest3 = rest4 / p.dim3;
    let i2 = i32(rest3 % p.dim2);
    let rest2 = rest3 / p.dim2;
    let i1 = i32(rest2 % p.dim1);
    let i0 = i32(rest2 / p.dim1);
    at_a = i0 * p.strideA0 + i1 * p.strideA1 + i2 * p.strideA2 + i3 * p.strideA3 + i4 * p.strideA4 + i5 * p.strideA5;
    at_b = i0 * p.strideB0 + i1 * p.strideB1 + i2 * p.strideB2 + i3 * p.strideB3 + i4 * p.strideB4 + i5 * p.strideB5;
  }
  if (RARE) {
    y[at] = Y(activate(apply_rare(f32(a[at_a]), f32(b[at_b])), p.activation, p.clipMin, p.clipMax));
  } else {
    y[at] = Y(activate(apply(f32(a[at_a]), f32(b[at_b])), p.activation, p.clipMin, p.clipMax));
  }
}
