// segment-sum: rows added up by the segment that each one's label names, block by block of rows.
//
// y[s,j,i] = sum over r of x[s,r,i] where labels[s,r] = j
// Shapes: x [blocks, rows, inner], labels [blocks, rows], y [blocks, segments, inner].
// Numerics: one sum in the order of r from 0; a label that names no segment counts nowhere.
// Source: a lane for each element of a row, which alone writes that element of all segments.

struct Params {
  blocks: u32,
  rows: u32,
  inner: u32,
  segments: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * LANES + id.x;
  if (at >= p.blocks * p.inner) {
    return;
  }
  let block = at / p.inner;
  let column = at % p.inner;
  let first = block * p.segments * p.inner + column;
  for (var j = 0u; j < p.segments; j++) {
    y[first + j * p.inner] = 0.0;
  }
  for (var r = block * p.rows; r < (block + 1u) * p.rows; r++) {
    let label = labels[r];
    // False for NaN too, as far as the device knows it; then the clamped index is one that exists.
    if (label >= 0.0 && label < f32(p.segments) && trunc(label) == label) {
      let to = first + min(u32(label), p.segments - 1u) * p.inner;
      y[to] += x[r * p.inner + column];
    }
  }
}
