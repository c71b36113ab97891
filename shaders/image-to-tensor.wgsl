// image-to-tensor: pixels to a network's input, rescaled and normalised on the way.
//
// y[n,c,p] = pixels[n,p,c] * scale[c] + shift[c]
// Shapes: pixels uint8 [batch, area, channels], interleaved, four bytes in a u32, the first in its low bits; scale and
//         shift [channels]; y [batch, channels, area].
// Numerics: fused or with two roundings, as the driver decides.
// Source: rescale and normalise of Hugging Face image processors. One lane makes one pixel.

struct Params {
  batch: u32,
  channels: u32,
  area: u32,
}

@group(0) @binding(0) var<storage, read> pixels: array<u32>;
@group(0) @binding(1) var<storage, read> scale: array<f32>;
@group(0) @binding(2) var<storage, read> shift: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<Y>;
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let pixel = id.y * groups.x * LANES + id.x;
  if (pixel >= p.batch * p.area) {
    return;
  }
  let n = pixel / p.area;
  let at = pixel % p.area;
  for (var c = 0u; c < p.channels; c++) {
    let byte = pixel * p.channels + c;
    let value = f32((pixels[byte / 4u] >> (byte % 4u * 8u)) & 0xffu);
    y[(n * p.channels + c) * p.area + at] = Y(value * scale[c] + shift[c]);
  }
}
