// cumsum: running sums along an axis.
//
// y[o,c,i] = x[o,0,i] + ... + x[o,c,i]; exclusive 1: without x[o,c,i] itself; reverse 1: from the axis' end.
// Shapes: x and y [outer, axis, inner].
// Numerics: one sum in the order of the axis (of its reverse), one lane a line.
// Source: ONNX operator CumSum, opset 14.

struct Params {
  outer: u32,
  axis: u32,
  inner: u32,
  exclusive: u32,
  reverse: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> p: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let line = id.y * groups.x * LANES + id.x;
  if (line >= p.outer * p.inner) {
    return;
  }
  let first = line / p.inner * p.axis * p.inner + line % p.inner;
  var sum = 0.0;
  for (var step = 0u; step < p.axis; step++) {
    let at = first + select(step, p.axis - 1u - step, p.reverse == 1u) * p.inner;
    let next = sum + x[at];
    y[at] = select(next, sum, p.exclusive == 1u);
    sum = next;
  }
}
