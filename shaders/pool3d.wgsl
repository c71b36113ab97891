// pool3d: maximum, its place, or average over windows of each volume.
//
// Shapes: x [planes, depth, height, width] (planes = N * C), y [planes, outDepth, outHeight, outWidth].
// kind 0: the maximum of the taps inside the volume (-infinity for a window without one; NaN if one is NaN).
// kind 1: their mean. kind 2: their sum over the number of taps inside the padded volume.
// kind 3: the place in the whole of x of the first largest tap (NaN is passed over unless it comes first); 0 for a window without a
//         tap. columnMajor 1: within its plane the place counts depth fastest and width slowest.
// Numerics: the sum goes in row order of the window, then one division.
// Source: ONNX operators MaxPool (opset 12) and AveragePool (opset 19).

struct Params {
  planes: u32,
  depth: u32,
  height: u32,
  width: u32,
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
  padBack: u32,
  padBottom: u32,
  padRight: u32,
  dilationD: u32,
  dilationH: u32,
  dilationW: u32,
  kind: u32,
  columnMajor: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> p: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * LANES + id.x;
  let plane_size = p.outDepth * p.outHeight * p.outWidth;
  if (at >= p.planes * plane_size) {
    return;
  }
  let plane = at / plane_size;
  let first_z = i32(at / (p.outHeight * p.outWidth) % p.outDepth * p.strideD) - i32(p.padFront);
  let first_y = i32(at / p.outWidth % p.outHeight * p.strideH) - i32(p.padTop);
  let first_x = i32(at % p.outWidth * p.strideW) - i32(p.padLeft);
  // Bits, because -infinity is no constant in WGSL; `p.kind & 0` keeps the compiler from seeing one.
  var best = bitcast<f32>(0xff800000u | (p.kind & 0u));
  var largest = best;
  var place = -1;
  var sum = 0.0;
  var inside = 0u;
  var padded = 0u;
  for (var kz = 0u; kz < p.kernelD; kz++) {
    let iz = first_z + i32(kz * p.dilationD);
    for (var ky = 0u; ky < p.kernelH; ky++) {
      let iy = first_y + i32(ky * p.dilationH);
      for (var kx = 0u; kx < p.kernelW; kx++) {
        let ix = first_x + i32(kx * p.dilationW);
        if (iz < i32(p.depth + p.padBack) && iy < i32(p.height + p.padBottom) && ix < i32(p.width + p.padRight)) {
          padded++;
        }
        if (min(min(iz, iy), ix) < 0 || iz >= i32(p.depth) || iy >= i32(p.height) || ix >= i32(p.width)) {
          continue;
        }
        let row_major = (iz * i32(p.height) + iy) * i32(p.width) + ix;
        let value = x[plane * p.depth * p.height * p.width + u32(row_major)];
        if (place < 0 || (!is_nan(value) && !is_nan(largest) && value > largest)) {
          largest = value;
          place = select(row_major, iz + (iy + ix * i32(p.height)) * i32(p.depth), p.columnMajor == 1u);
        }
        if (is_nan(value) || (value > best && !is_nan(best))) {
          best = value;
        }
        sum += value;
        inside++;
      }
    }
  }
  switch (p.kind) {
    case 0u: { y[at] = best; }
    case 3u: { y[at] = f32(select(0u, plane * p.depth * p.height * p.width + u32(max(place, 0)), place >= 0)); }
    default: { y[at] = sum / f32(select(padded, inside, p.kind == 1u)); }
  }
}
