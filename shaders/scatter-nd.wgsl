// scatter-nd: a tensor with some of its slices replaced or combined, each named by a tuple of places.
//
// y = x; then for n from 0: y[indices[n,0], ..., indices[n,depth-1], :] (op)= updates[n, :], op chosen by `reduction`.
// Shapes: x and y [dim0, ..., dim(depth-1), inner], indices [count, depth], updates [count, inner].
// Numerics: each step rounds to float32, in the order of n: one lane an element of y, which looks for its updates. With reduction 0
//           bits are kept. A tuple with a place outside, or NaN, is dropped.
// Source: ONNX operator ScatterND, opset 18.

struct Params {
  count: u32,
  depth: u32,
  inner: u32,
  dim0: u32,
  dim1: u32,
  dim2: u32,
  dim3: u32,
  dim4: u32,
  dim5: u32,
  reduction: u32,
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> indices: array<f32>;
@group(0) @binding(2) var<storage, read> updates: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;
@group(0) @binding(4) var<uniform> p: Params;

// What becomes of an element; NaN in either stays in max and min.
fn combine(old: f32, new_value: f32) -> f32 {
  switch (p.reduction) {
    case 1u: { return old + new_value; }
    case 2u: { return old * new_value; }
    default: {
      if (is_nan(old)) { return old; }
      if (is_nan(new_value)) { return new_value; }
      return select(select(old, new_value, new_value < old), select(old, new_value, new_value > old), p.reduction == 3u);
    }
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * LANES + id.x;
  let dims = array<u32, 6>(p.dim0, p.dim1, p.dim2, p.dim3, p.dim4, p.dim5);
  var elements = p.inner;
  for (var d = 0u; d < p.depth; d++) {
    elements *= dims[d];
  }
  if (at >= elements) {
    return;
  }
  let own = at / p.inner;
  var bits = x[at];
  for (var n = 0u; n < p.count; n++) {
    var slice = 0u;
    var inside = true;
    for (var d = 0u; d < p.depth; d++) {
      let place = wrap_index(indices[n * p.depth + d], dims[d]);
      inside = inside && place >= 0;
      slice = slice * dims[d] + u32(max(place, 0));
    }
    if (inside && slice == own) {
      let change = updates[n * p.inner + at % p.inner];
      if (p.reduction == 0u) {
        bits = change;
      } else {
        bits = bitcast<u32>(combine(bitcast<f32>(bits), bitcast<f32>(change)));
      }
    }
  }
  y[at] = bits;
}
