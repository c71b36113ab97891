// conv2d-depthwise: conv2d where every group has one channel, and a few filters: no sum over channels, so no matrix product.
//
// y[n,f,oy,ox] = act(bias[f] + residual[n,f,oy,ox] + sum over ky,kx of
//                x[n, g, oy*strideH + ky*dilationH - padTop, ox*strideW + kx*dilationW - padLeft] * w[f,ky,kx]), g = the
//                group of f; outside the image x counts as 0.
// Shapes: x [batch, channels, height, width], w [filters, 1, kernelH, kernelW], bias [filters],
//         residual and y [batch, filters, outHeight, outWidth]; groups = channels.
// Constants from the host: LANES of a workgroup, each of which makes four neighbours in a row; SLIDE where strideW and
//         dilationW are 1: four windows then overlap in all but one column of each.
// Numerics: as conv2d.wgsl, to the bit: one sum in the order ky, kx from 0, zeros outside the image included, then + bias,
//           then + residual, then the activation.
// Source: ONNX operator Conv, opset 11.

struct Params {
  batch: u32,
  channels: u32,
  height: u32,
  width: u32,
  filters: u32,
  kernelH: u32,
  kernelW: u32,
  outHeight: u32,
  outWidth: u32,
  strideH: u32,
  strideW: u32,
  padTop: u32,
  padLeft: u32,
  dilationH: u32,
  dilationW: u32,
  groups: u32,
  hasBias: u32,
  hasResidual: u32,
  activation: u32,
  clipMin: f32,
  clipMax: f32,
}

@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read> w: array<W>;
@group(0) @binding(2) var<storage, read> bias: array<Bias>;
@group(0) @binding(3) var<storage, read> residual: array<Residual>;
@group(0) @binding(4) var<storage, read_write> y: array<Y>;
@group(0) @binding(5) var<uniform> p: Params;

// Of a line of the image that begins at `line`; 0 outside. A negative number is a large one as u32.
fn pixel(line: u32, inside: bool, col: i32) -> f32 {
  let there = inside & (u32(col) < p.width);
  return select(0.0, f32(x[select(0u, line + u32(col), there)]), there);
}

// One line of the window, for four neighbours whose first tap is at `col`.
fn add_line(start: vec4f, line: u32, inside: bool, col: i32, taps: u32) -> vec4f {
  var sum = start;
  if (SLIDE) {
    var four = vec4f(0.0, pixel(line, inside, col), pixel(line, inside, col + 1), pixel(line, inside, col + 2));
    for (var kx = 0u; kx < p.kernelW; kx++) {
      four = vec4f(four.yzw, pixel(line, inside, col + i32(kx) + 3));
      sum = fma(vec4f(f32(w[taps + kx])), four, sum);
    }
    return sum;
  }
  let step = i32(p.strideW);
  for (var kx = 0u; kx < p.kernelW; kx++) {
    let at = col + i32(kx * p.dilationW);
    let four = vec4f(
      pixel(line, inside, at),
      pixel(line, inside, at + step),
      pixel(line, inside, at + 2 * step),
      pixel(line, inside, at + 3 * step),
    );
    sum = fma(vec4f(f32(w[taps + kx])), four, sum);
  }
  return sum;
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.y * groups.x + group.x) * LANES + lane;
  let fours = (p.outWidth + 3u) / 4u;
  let plane = index / (fours * p.outHeight);
  if (plane >= p.batch * p.filters) {
    return;
  }
  let oy = index / fours % p.outHeight;
  let ox = 4u * (index % fours);
  let f = plane % p.filters;
  let channel = plane / p.filters * p.channels + f / (p.filters / p.groups);
  let first_row = i32(oy * p.strideH) - i32(p.padTop);
  let col = i32(ox * p.strideW) - i32(p.padLeft);

  var sum = vec4f();
  for (var ky = 0u; ky < p.kernelH; ky++) {
    let row = first_row + i32(ky * p.dilationH);
    let inside = u32(row) < p.height;
    let line = select(0u, (channel * p.height + u32(row)) * p.width, inside);
    sum = add_line(sum, line, inside, col, (f * p.kernelH + ky) * p.kernelW);
  }
  let at = (plane * p.outHeight + oy) * p.outWidth + ox;
  for (var i = 0u; i < min(4u, p.outWidth - ox); i++) {
    var value = sum[i];
    if (p.hasBias == 1u) {
      value += f32(bias[f]);
    }
    if (p.hasResidual == 1u) {
      value += f32(residual[at + i]);
    }
    y[at + i] = Y(activate(value, p.activation, p.clipMin, p.clipMax));
  }
}
