// gather: slices of a tensor, chosen by a list of places along one axis.
//
// y[o,n,i] = x[o,indices[n],i]; a negative index counts from the axis' end.
// Shapes: x [outer, axis, inner], indices [count], y [outer, count, inner].
// Numerics: bits are kept, elements pass as u32. An index outside, or NaN, gives NaN and never a read outside.
// Source: ONNX operator Gather, opset 13.

struct Params {
  outer: u32,
  axis: u32,
  inner: u32,
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> indices: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * LANES + id.x;
  if (at >= p.outer * p.count * p.inner) {
    return;
  }
  let place = wrap_index(indices[at / p.inner % p.count], p.axis);
  y[at] = 0x7fc00000u;
  if (place >= 0) {
    y[at] = x[(at / (p.count * p.inner) * p.axis + u32(place)) * p.inner + at % p.inner];
  }
}
