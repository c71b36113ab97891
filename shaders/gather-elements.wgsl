// gather-elements: elements of a tensor, each chosen by its own place along one axis.
//
// y[i0..i5] = x[i0..i5 with indices[i0..i5] in place of the one along `axis`]; a negative index counts from the end.
// Shapes: x [dim0, ..., dim5], indices and y [index0, ..., index5].
// Numerics: bits are kept, elements pass as u32. An index outside, or NaN, gives NaN and never a read outside.
// Source: ONNX operator GatherElements, opset 13.

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
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> indices: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * LANES + id.x;
  if (at >= p.index0 * p.index1 * p.index2 * p.index3 * p.index4 * p.index5) {
    return;
  }
  let dims = array<u32, 6>(p.dim0, p.dim1, p.dim2, p.dim3, p.dim4, p.dim5);
  let sizes = array<u32, 6>(p.index0, p.index1, p.index2, p.index3, p.index4, p.index5);
  let place = wrap_index(indices[at], dims[p.axis]);
  var element = 0u;
  var stride = 1u;
  var rest = at;
  for (var d = 6u; d > 0u; d--) {
    let axis = d - 1u;
    element += select(rest % sizes[axis], u32(max(place, 0)), axis == p.axis) * stride;
    rest /= sizes[axis];
    stride *= dims[axis];
  }
  y[at] = 0x7fc00000u;
  if (place >= 0) {
    y[at] = x[element];
  }
}
