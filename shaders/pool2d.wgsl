// pool2d: maximum or average over windows of each plane.
//
// Shapes: x [planes, height, width] (planes = N * C), y [planes, outHeight, outWidth].
// kind 0: the maximum of the taps inside the image (-infinity for a window without one; NaN if one is NaN).
// kind 1: their mean. kind 2: their sum over the number of taps inside the padded image,
//         [-padTop, height + padBottom) x [-padLeft, width + padRight).
// Numerics: the sum goes in row order of the window, then one division.
// Source: ONNX operators MaxPool (opset 12) and AveragePool (opset 19).

struct Params {
  planes: u32,
  height: u32,
  width: u32,
  kernelH: u32,
  kernelW: u32,
  outHeight: u32,
  outWidth: u32,
  strideH: u32,
  strideW: u32,
  padTop: u32,
  padLeft: u32,
  padBottom: u32,
  padRight: u32,
  dilationH: u32,
  dilationW: u32,
  kind: u32,
}

@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read_write> y: array<Y>;
@group(0) @binding(2) var<uniform> p: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * LANES + id.x;
  if (at >= p.planes * p.outHeight * p.outWidth) {
    return;
  }
  let plane = at / (p.outHeight * p.outWidth);
  let pixel = at % (p.outHeight * p.outWidth);
  let first_row = i32(pixel / p.outWidth * p.strideH) - i32(p.padTop);
  let first_col = i32(pixel % p.outWidth * p.strideW) - i32(p.padLeft);
  // Bits, because -infinity is no constant in WGSL; `p.kind & 0` keeps the compiler from seeing one.
  var best = bitcast<f32>(0xff800000u | (p.kind & 0u));
  var sum = 0.0;
  var inside = 0u;
  var padded = 0u;
  for (var ky = 0u; ky < p.kernelH; ky++) {
    let row = first_row + i32(ky * p.dilationH);
    for (var kx = 0u; kx < p.kernelW; kx++) {
      let col = first_col + i32(kx * p.dilationW);
      if (row < i32(p.height + p.padBottom) && col < i32(p.width + p.padRight)) {
        padded++;
      }
      if (row < 0 || row >= i32(p.height) || col < 0 || col >= i32(p.width)) {
        continue;
      }
      let value = f32(x[(plane * p.height + u32(row)) * p.width + u32(col)]);
      if (is_nan(value) || (value > best && !is_nan(best))) {
        best = value;
      }
      sum += value;
      inside++;
    }
  }
  y[at] = Y(select(sum / f32(select(padded, inside, p.kind == 1u)), best, p.kind == 0u));
}
