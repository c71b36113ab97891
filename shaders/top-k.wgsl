// top-k: the k largest (or smallest) of each line in order, or their places.
//
// Shapes: x [outer, axis, inner], y [outer, k, inner], k at most axis.
// Order: the largest first (largest 0: the smallest), equal ones by their place, -0 equal to 0, NaN behind every number.
// part 0: the values, part 1: their places along the axis.
// Numerics: exact; bits are kept, elements pass as u32. One lane an element of x: it counts those before it, and so knows its place in y.
// Source: ONNX operator TopK, opset 11, always sorted.

struct Params {
  outer: u32,
  axis: u32,
  inner: u32,
  k: u32,
  largest: u32,
  part: u32,
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<uniform> p: Params;

// Whether the element of bits `u` at place c comes before `v` at d.
fn before(u: u32, c: u32, v: u32, d: u32) -> bool {
  let a = bitcast<f32>(u);
  let b = bitcast<f32>(v);
  if (is_nan(a) || is_nan(b)) {
    return select(is_nan(b), c < d, is_nan(a) && is_nan(b)) && (!is_nan(a) || is_nan(b));
  }
  if (a == b) {
    return c < d;
  }
  return (a > b) == (p.largest == 1u);
}

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * LANES + id.x;
  if (at >= p.outer * p.axis * p.inner) {
    return;
  }
  let c = at / p.inner % p.axis;
  let first = at - c * p.inner;
  var rank = 0u;
  for (var d = 0u; d < p.axis; d++) {
    if (d != c && before(x[first + d * p.inner], d, x[at], c)) {
      rank++;
    }
  }
  if (rank < p.k) {
    let to = (at / (p.axis * p.inner) * p.k + rank) * p.inner + at % p.inner;
    y[to] = select(x[at], bitcast<u32>(f32(c)), p.part == 1u);
  }
}
