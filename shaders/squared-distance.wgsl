// squared-distance: from each row to each center, each difference weighed.
//
// y[i,j] = sum over l of ((a[i,l] - b[l,j]) * scale[l,j])^2
// Shapes: a [m, k], b [k, n], scale [k, n] (hasScale 0: absent, all ones), y [m, n].
// Numerics: centred, never expanded; one sum in the order of l from 0.
// Source: the quadratic form of a normal density with independent features; Lloyd's distances.

struct Params {
  m: u32,
  n: u32,
  k: u32,
  hasScale: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> scale: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * LANES + id.x;
  if (at >= p.m * p.n) {
    return;
  }
  let row = at / p.n * p.k;
  let column = at % p.n;
  var sum = 0.0;
  if (p.hasScale == 1u) {
    for (var l = 0u; l < p.k; l++) {
      let term = (a[row + l] - b[l * p.n + column]) * scale[l * p.n + column];
      sum += term * term;
    }
  } else {
    for (var l = 0u; l < p.k; l++) {
      let term = a[row + l] - b[l * p.n + column];
      sum += term * term;
    }
  }
  y[at] = sum;
}
