// lrn: every element over a power of the squares of its neighbours in channels.
//
// y[o,c,i] = x[o,c,i] / (bias + alpha / size * sum over d of x[o,d,i]^2)^beta, d from c - floor((size-1)/2) to c + ceil((size-1)/2)
// Shapes: x and y [outer, channels, inner].
// Numerics: the sum in the order of d; the power as e^(beta ln).
// Source: ONNX operator LRN, opset 13.

struct Params {
  outer: u32,
  channels: u32,
  inner: u32,
  size: u32,
  alpha: f32,
  beta: f32,
  bias: f32,
}

@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read_write> y: array<Y>;
@group(0) @binding(2) var<uniform> p: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * LANES + id.x;
  if (at >= p.outer * p.channels * p.inner) {
    return;
  }
  let c = at / p.inner % p.channels;
  let first = at - c * p.inner;
  let before = min(c, (p.size - 1u) / 2u);
  let end = min(p.channels, c + p.size / 2u + 1u);
  var squares = 0.0;
  for (var d = c - before; d < end; d++) {
    let value = f32(x[first + d * p.inner]);
    squares += value * value;
  }
  y[at] = Y(f32(x[at]) / exp_f32(p.beta * log_f32(p.bias + p.alpha / f32(p.size) * squares)));
}
