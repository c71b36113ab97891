// gather-nd: slices of a tensor, each chosen by a tuple of places along its leading axes.
//
// y[b,n,:] = x[b, indices[b,n,0], ..., indices[b,n,depth-1], :]; negative places count from their axis' end.
// Shapes: x [batch, dim0, ..., dim(depth-1), inner], indices [batch, count, depth], y [batch, count, inner].
// Numerics: bits are kept, elements pass as u32. A place outside, or NaN, gives a slice of NaN and never a read outside.
// Source: ONNX operator GatherND, opset 13.

struct Params {
  batch: u32,
  count: u32,
  depth: u32,
  inner: u32,
  dim0: u32,
  dim1: u32,
  dim2: u32,
  dim3: u32,
  dim4: u32,
  dim5: u32,
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> indices: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * LANES + id.x;
  if (at >= p.batch * p.count * p.inner) {
    return;
  }
  let dims = array<u32, 6>(p.dim0, p.dim1, p.dim2, p.dim3, p.dim4, p.dim5);
  let tuple = at / p.inner;
  var slice = 0u;
  var slices = 1u;
  var inside = true;
  for (var d = 0u; d < p.depth; d++) {
    let place = wrap_index(indices[tuple * p.depth + d], dims[d]);
    inside = inside && place >= 0;
    slice = slice * dims[d] + u32(max(place, 0));
    slices *= dims[d];
  }
  y[at] = 0x7fc00000u;
  if (inside) {
    y[at] = x[(tuple / p.count * slices + slice) * p.inner + at % p.inner];
  }
}
