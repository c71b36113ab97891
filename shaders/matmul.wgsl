// matmul: batched product of two matrices that are both made at run time, read by strides.
//
// y[s,t,i,j] = sum over l of a[s*strideA0 + t*strideA1 + i*strideAM + l*strideAK]
//                          * b[s*strideB0 + t*strideB1 + l*strideBK + j*strideBN]
// Shapes: y [batch0, batch1, m, n], dense; strides in elements, 0 repeats.
// Numerics: one sum in the order of l from 0.
// Source: ONNX operators MatMul (opset 13) and Einsum. Tiling: common/tile.wgsl.

struct Params {
  batch0: u32,
  batch1: u32,
  m: u32,
  n: u32,
  k: u32,
  strideA0: u32,
  strideA1: u32,
  strideAM: u32,
  strideAK: u32,
  strideB0: u32,
  strideB1: u32,
  strideBK: u32,
  strideBN: u32,
}

@group(0) @binding(0) var<storage, read> a: array<A>;
@group(0) @binding(1) var<storage, read> b: array<B>;
@group(0) @binding(2) var<storage, read_write> y: array<Y>;
@group(0) @binding(3) var<uniform> p: Params;

// Where the current matrices of the batch begin.
var<private> first_a: u32;
var<private> first_b: u32;
var<private> first_y: u32;

struct Column {
  inside: bool,
  j: u32,
  // Of the column's first element in b.
  offset: u32,
}

fn column(n: u32) -> Column {
  let j = min(n, p.n - 1u);
  return Column(n < p.n, j, first_b + j * p.strideBN);
}

struct Tap {
  inside: bool,
  offset: u32,
}

fn tap(k: u32) -> Tap {
  return Tap(k < p.k, k * p.strideBK);
}

fn next_tap(t: Tap, k: u32) -> Tap {
  return tap(k + 1u);
}

fn row_offset(m: u32) -> u32 {
  return first_a + min(m, p.m - 1u) * p.strideAM;
}

fn load_a(offset: u32, k: u32) -> f32 {
  return vec4f(A4(a[offset + k * p.strideAK])).x;
}

// Where strideAK is 1.
fn load_a_four(offset: u32, k: u32) -> vec4f {
  return vec4f(A4(a[(offset + k) / 4u]));
}

fn load_b(t: Tap, c: Column) -> f32 {
  return select(0.0, vec4f(B4(b[select(0u, c.offset + t.offset, t.inside)])).x, t.inside);
}

fn load_b_four(t: Tap, c: Column) -> vec4f {
  return select(vec4f(), vec4f(B4(b[select(0u, (c.offset + t.offset) / 4u, t.inside)])), t.inside);
}

fn place(m: u32, c: Column) -> u32 {
  return first_y + m * p.n + c.j;
}

fn finish(m: u32, c: Column, sum: f32) -> f32 {
  return sum;
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  for (var product = group.z; product < p.batch0 * p.batch1; product += groups.z) {
    let s = product / p.batch1;
    let t = product % p.batch1;
    first_a = s * p.strideA0 + t * p.strideA1;
    first_b = s * p.strideB0 + t * p.strideB1;
    first_y = product * p.m * p.n;
    for (var m = group.y * ROWS; m < p.m; m += groups.y * ROWS) {
      for (var n = group.x * COLUMNS; n < p.n; n += groups.x * COLUMNS) {
        multiply_tile(m, n, p.m, p.k, lane);
      }
    }
  }
}
