// affine: scale and shift by channel, with an activation.
//
// y[o,c,i] = act(x[o,c,i] * scale[c] + shift[c])
// Shapes: x and y [outer, channels, inner], scale and shift [channels].
// Numerics: fused or with two roundings, as the driver decides.
// Source: ONNX operator BatchNormalization in inference, opset 15.

struct Params {
  outer: u32,
  channels: u32,
  inner: u32,
  activation: u32,
  clipMin: f32,
  clipMax: f32,
}

@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read> scale: array<f32>;
@group(0) @binding(2) var<storage, read> shift: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<Y>;
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * LANES + id.x;
  if (at < p.outer * p.channels * p.inner) {
    let c = at / p.inner % p.channels;
    y[at] = Y(activate(f32(x[at]) * scale[c] + shift[c], p.activation, p.clipMin, p.clipMax));
  }
}
