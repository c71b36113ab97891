// scatter-elements: a tensor with some of its elements replaced or combined, each at its own place along one axis.
//
// y = x; then for all u0..u5 along `axis` in ascending order:
// y[u0..u5 with indices[u0..u5] in place of the one along `axis`] (op)= updates[u0..u5], op chosen by `reduction`.
// Shapes: x and y [dim0, ..., dim5], indices and updates [index0, ..., index5].
// Numerics: each step rounds to float32, in the order of the updates: one lane an element of y, which looks for its updates. With
//           reduction 0 bits are kept. An update whose index is outside, or NaN, is dropped.
// Source: ONNX operator ScatterElements, opset 18.

struct Params {
  dim0: u32,
  dim1: u32,
  dim2: u32,
  dim3: u32,
  dim4: u32,
  dim5: u32,
  index0: u32,
  index1: u32,
  index2: u32,
  index3: u32,
  index4: u32,
  index5: u32,
  axis: u32,
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
  if (at >= p.dim0 * p.dim1 * p.dim2 * p.dim3 * p.dim4 * p.dim5) {
    return;
  }
  let dims = array<u32, 6>(p.dim0, p.dim1, p.dim2, p.dim3, p.dim4, p.dim5);
  let sizes = array<u32, 6>(p.index0, p.index1, p.index2, p.index3, p.index4, p.index5);
  // Where this element's line of updates begins, and how far one of them is from the next.
  var first = 0u;
  var step = 1u;
  var stride = 1u;
  var own = 0;
  var inside = true;
  var rest = at;
  for (var d = 6u; d > 0u; d--) {
    let axis = d - 1u;
    let place = rest % dims[axis];
    rest /= dims[axis];
    if (axis == p.axis) {
      own = i32(place);
      step = stride;
    } else {
      inside = inside && place < sizes[axis];
      first += place * stride;
    }
    stride *= sizes[axis];
  }
  var bits = x[at];
  let count = select(0u, sizes[p.axis], inside);
  for (var u = 0u; u < count; u++) {
    let source = first + u * step;
    if (wrap_index(indices[source], dims[p.axis]) == own) {
      if (p.reduction == 0u) {
        bits = updates[source];
      } else {
        bits = bitcast<u32>(combine(bitcast<f32>(bits), bitcast<f32>(updates[source])));
      }
    }
  }
  y[at] = bits;
}
