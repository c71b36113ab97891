// resample-axis: one axis of a tensor at another length, every element a weighted sum of a few.
//
// y[o,n,i] = sum over t of weights[n,t] * x[o,indices[n,t],i]; a tap of weight 0 is skipped; y[o,n,i] = fill where indices[n,0] < 0.
// Shapes: x [outer, size, inner], indices and weights [outSize, taps], y [outer, outSize, inner].
// Numerics: one sum in the order of t.
// Source: ONNX operators Resize (opset 19) and Upsample, one axis at a time.

struct Params {
  outer: u32,
  size: u32,
  inner: u32,
  outSize: u32,
  taps: u32,
  fill: f32,
}

@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read> indices: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<Y>;
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * LANES + id.x;
  if (at >= p.outer * p.outSize * p.inner) {
    return;
  }
  let n = at / p.inner % p.outSize;
  let first = at / (p.inner * p.outSize) * p.size;
  if (indices[n * p.taps] < 0.0) {
    y[at] = Y(p.fill);
    return;
  }
  var sum = 0.0;
  for (var t = n * p.taps; t < (n + 1u) * p.taps; t++) {
    if (weights[t] != 0.0) {
      sum += weights[t] * f32(x[(first + u32(indices[t])) * p.inner + at % p.inner]);
    }
  }
  y[at] = Y(sum);
}
