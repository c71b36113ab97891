// where: one of two elements, chosen by a third, with broadcasting.
//
// y[i0..i5] = condition[sum of i*strideC] != 0 ? a[sum of i*strideA] : b[sum of i*strideB]; y is dense.
// Shapes: y [dim0, dim1, dim2, dim3, dim4, dim5]; a stride of 0 repeats.
// Numerics: bits are kept, elements pass as u32; a condition that is NaN is true.
// Source: ONNX operator Where, opset 16.

struct Params {
  dim0: u32,
  dim1: u32,
  dim2: u32,
  dim3: u32,
  dim4: u32,
  dim5: u32,
  strideC0: i32,
  strideC1: i32,
  strideC2: i32,
  strideC3: i32,
  strideC4: i32,
  strideC5: i32,
  strideA0: i32,
  strideA1: i32,
  strideA2: i32,
  strideA3: i32,
  strideA4: i32,
  strideA5: i32,
  strideB0: i32,
  strideB1: i32,
  strideB2: i32,
  strideB3: i32,
  strideB4: i32,
  strideB5: i32,
}

@group(0) @binding(0) var<storage, read> condition: array<u32>;
@group(0) @binding(1) var<storage, read> a: array<u32>;
@group(0) @binding(2) var<storage, read> b: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;
@group(0) @binding(4) var<uniform> p: Params;

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
  let at_c = i0 * p.strideC0 + i1 * p.strideC1 + i2 * p.strideC2 + i3 * p.strideC3 + i4 * p.strideC4 + i5 * p.strideC5;
  let at_a = i0 * p.strideA0 + i1 * p.strideA1 + i2 * p.strideA2 + i3 * p.strideA3 + i4 * p.strideA4 + i5 * p.strideA5;
  let at_b = i0 * p.strideB0 + i1 * p.strideB1 + i2 * p.strideB2 + i3 * p.strideB3 + i4 * p.strideB4 + i5 * p.strideB5;
  // Zero of either sign: every bit but the first is 0.
  if ((condition[at_c] & 0x7fffffffu) != 0u) {
    y[at] = a[at_a];
  } else {
    y[at] = b[at_b];
  }
}
