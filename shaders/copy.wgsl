// copy: a strided walk from one tensor into another: transposes, slices, and the parts of a concatenation.
//
// y[offsetY + sum of i*strideY] = x[offsetX + sum of i*strideX] for all i0..i5 in dim0..dim5; what is not named in y
// stays as it was.
// Shapes: x and y of any length; offsets and strides in elements, a negative stride walks backwards.
// Numerics: bits are kept, NaN payloads and -0 too: elements pass as u32, unless one side is stored as float16.
// Source: ONNX operators Transpose, Slice, Concat, Expand.

struct Params {
  dim0: u32,
  dim1: u32,
  dim2: u32,
  dim3: u32,
  dim4: u32,
  dim5: u32,
  offsetX: u32,
  strideX0: i32,
  strideX1: i32,
  strideX2: i32,
  strideX3: i32,
  strideX4: i32,
  strideX5: i32,
  offsetY: u32,
  strideY0: i32,
  strideY1: i32,
  strideY2: i32,
  strideY3: i32,
  strideY4: i32,
  strideY5: i32,
}

@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read_write> y: array<Y>;
@group(0) @binding(2) var<uniform> p: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * LANES + id.x;
  if (at >= p.dim0 * p.dim1 * p.dim2 * p.dim3 * p.dim4 * p.dim5) {
    return;
  }
  let i5 = i32(at % p.dim5);
  let rest5 = at / p.dim5;
  let i4 = i32(rest5 % p.dim4);
  let rest4 = rest5 / p.dim4;
  let i3 = i32(rest4 % p.dim3);
  let rest3 = rest4 / p.dim3;
  let i2 = i32(rest3 % p.dim2);
  let rest2 = rest3 / p.dim2;
  let i1 = i32(rest2 % p.dim1);
  let i0 = i32(rest2 / p.dim1);
  let at_x = i32(p.offsetX) + i0 * p.strideX0 + i1 * p.strideX1 + i2 * p.strideX2 + i3 * p.strideX3 + i4 * p.strideX4
    + i5 * p.strideX5;
  let at_y = i32(p.offsetY) + i0 * p.strideY0 + i1 * p.strideY1 + i2 * p.strideY2 + i3 * p.strideY3 + i4 * p.strideY4
    + i5 * p.strideY5;
  y[at_y] = Y(x[at_x]);
}
