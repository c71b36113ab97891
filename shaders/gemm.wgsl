// gemm: matrix product, batched, with bias and activation.
//
// y[s,i,j] = act(bias[i*biasStrideM + j*biasStrideN] + sum over l of a[s,i,l] * b[s,l,j])
// Shapes: a [batch, m, k], b [batch, k, n] or [batch, n, k] when transposeB is 1, y [batch, m, n]. sharedB 1: b has no batch
//         axis. bias: [1], [n], [m] or [m, n] by its strides.
// Numerics: one sum in the order of l from 0, then + bias, then the activation.
// Source: ONNX operators Gemm (opset 13) and MatMul. Tiling: common/tile.wgsl.

struct Params {
  batch: u32,
  m: u32,
  n: u32,
  k: u32,
  transposeB: u32,
  sharedB: u32,
  hasBias: u32,
  biasStrideM: u32,
  biasStrideN: u32,
  activation: u32,
  clipMin: f32,
  clipMax: f32,
}

@group(0) @binding(0) var<storage, read> a: array<A>;
@group(0) @binding(1) var<storage, read> b: array<B>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<Y>;
@group(0) @binding(4) var<uniform> p: Params;

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
  return Column(n < p.n, j, first_b + j * select(1u, p.k, p.transposeB == 1u));
}

struct Tap {
  inside: bool,
  offset: u32,
}

fn tap(k: u32) -> Tap {
  return Tap(k < p.k, k * select(p.n, 1u, p.transposeB == 1u));
}

fn next_tap(t: Tap, k: u32) -> Tap {
  return tap(k + 1u);
}

fn row_offset(m: u32) -> u32 {
  return first_a + min(m, p.m - 1u) * p.k;
}

fn load_a(offset: u32, k: u32) -> f32 {
  return vec4f(A4(a[offset + k])).x;
}

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
  var value = sum;
  if (p.hasBias == 1u) {
    value += bias[m * p.biasStrideM + c.j * p.biasStrideN];
  }
  return activate(value, p.activation, p.clipMin, p.clipMax);
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  for (var s = group.z; s < p.batch; s += groups.z) {
    first_a = s * p.m * p.k;
    first_b = select(s * p.k * p.n, 0u, p.sharedB == 1u);
    first_y = s * p.m * p.n;
    for (var m = group.y * ROWS; m < p.m; m += groups.y * ROWS) {
      for (var n = group.x * COLUMNS; n < p.n; n += groups.x * COLUMNS) {
        multiply_tile(m, n, p.m, p.k, lane);
      }
    }
  }
}
