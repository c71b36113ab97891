// conv-transpose: the transpose of a convolution with 1 to 3 spatial axes, with bias and activation.
//
// y[n,f,oz,oy,ox] = act(bias[f] + sum over c,kz,ky,kx of x[n,c,iz,iy,ix] * w[c, f within its group, kz,ky,kx]), c over the
// channels of f's group, and iz the whole number for which iz * strideD + kz * dilationD - padFront = oz (iy and ix likewise).
// Shapes: x [batch, channels, depth, height, width], w [channels, filters/groups, kernelD, kernelH, kernelW], bias [filters],
//         y [batch, filters, outDepth, outHeight, outWidth].
// Numerics: one sum in the order kz, ky, kx, c, one lane an element of y; then + bias, then the activation.
// Source: ONNX operator ConvTranspose, opset 11.

struct Params {
  batch: u32,
  channels: u32,
  depth: u32,
  height: u32,
  width: u32,
  filters: u32,
  kernelD: u32,
  kernelH: u32,
  kernelW: u32,
  outDepth: u32,
  outHeight: u32,
  outWidth: u32,
  strideD: u32,
  strideH: u32,
  strideW: u32,
  padFront: u32,
  padTop: u32,
  padLeft: u32,
  dilationD: u32,
  dilationH: u32,
  dilationW: u32,
  groups: u32,
  hasBias: u32,
  activation: u32,
  clipMin: f32,
  clipMax: f32,
}

@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read> w: array<W>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<Y>;
@group(0) @binding(4) var<uniform> p: Params;

// The input's place that reaches `position` of the spread input, or -1.
fn source_of(position: i32, stride: u32, size: u32) -> i32 {
  let place = position / i32(stride);
  return select(-1, place, position >= 0 && position % i32(stride) == 0 && place < i32(size));
}

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * LANES + id.x;
  let plane = p.outHeight * p.outWidth;
  let volume = p.outDepth * plane;
  if (at >= p.batch * p.filters * volume) {
    return;
  }
  let n = at / (p.filters * volume);
  let f = at / volume % p.filters;
  let oz = i32(at / plane % p.outDepth + p.padFront);
  let oy = i32(at / p.outWidth % p.outHeight + p.padTop);
  let ox = i32(at % p.outWidth + p.padLeft);
  let group_filters = p.filters / p.groups;
  let group_channels = p.channels / p.groups;
  let first_channel = f / group_filters * group_channels;
  let size = p.depth * p.height * p.width;
  let taps = p.kernelD * p.kernelH * p.kernelW;
  var sum = 0.0;
  for (var kz = 0u; kz < p.kernelD; kz++) {
    let iz = source_of(oz - i32(kz * p.dilationD), p.strideD, p.depth);
    for (var ky = 0u; ky < p.kernelH && iz >= 0; ky++) {
      let iy = source_of(oy - i32(ky * p.dilationH), p.strideH, p.height);
      for (var kx = 0u; kx < p.kernelW && iy >= 0; kx++) {
        let ix = source_of(ox - i32(kx * p.dilationW), p.strideW, p.width);
        if (ix < 0) {
          continue;
        }
        var source = (n * p.channels + first_channel) * size + u32((iz * i32(p.height) + iy) * i32(p.width) + ix);
        var weight = (first_channel * group_filters + f % group_filters) * taps + (kz * p.kernelH + ky) * p.kernelW + kx;
        for (var c = 0u; c < group_channels; c++) {
          sum += f32(x[source]) * f32(w[weight]);
          source += size;
          weight += group_filters * taps;
        }
      }
    }
  }
  if (p.hasBias == 1u) {
    sum += bias[f];
  }
  y[at] = Y(activate(sum, p.activation, p.clipMin, p.clipMax));
}
