// conv2d: two-dimensional convolution (cross-correlation, as in ONNX) with a fused epilogue.
//
// y[n,f,oy,ox] = act(bias[f] + residual[n,f,oy,ox] + sum over c,ky,kx of
//                x[n, g*channels/groups + c, oy*strideH + ky*dilationH - padTop, ox*strideW + kx*dilationW - padLeft]
//                * w[f,c,ky,kx]), g = the group of f; outside the image x counts as 0.
// Shapes: x [batch, channels, height, width], w [filters, channels/groups, kernelH, kernelW], bias [filters],
//         residual and y [batch, filters, outHeight, outWidth].
// Numerics: one sum in the order c, ky, kx from 0, then + bias, then + residual, then the activation; the taps outside
//           the image add their zeros.
// Source: ONNX operator Conv, opset 11. As a matrix product, for each group: rows are its filters, columns the output
//         pixels of all images, k runs over c, ky, kx; x is never laid out anew (implicit GEMM). Tiling: common/tile.wgsl.

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
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<Residual>;
@group(0) @binding(4) var<storage, read_write> y: array<Y>;
@group(0) @binding(5) var<uniform> p: Params;

// The current group, and the sizes that follow from the parameters.
var<private> group_index: u32;
var<private> group_channels: u32;
var<private> group_filters: u32;
var<private> taps: u32;
var<private> columns: u32;

// One output pixel of one image.
struct Column {
  inside: bool,
  // Of the image's first channel in this group.
  image: u32,
  // Of its window's first tap; negative inside the padding.
  row: i32,
  col: i32,
  // In y, of its value for the image's first filter.
  out: u32,
}

fn column(n: u32) -> Column {
  let area = p.outHeight * p.outWidth;
  let safe = min(n, columns - 1u);
  let image = safe / area;
  let pixel = safe % area;
  return Column(
    n < columns,
    (image * p.channels + group_index * group_channels) * p.height * p.width,
    i32(pixel / p.outWidth * p.strideH) - i32(p.padTop),
    i32(pixel % p.outWidth * p.strideW) - i32(p.padLeft),
    image * p.filters * area + pixel,
  );
}

// One of the window's taps, in one channel of the group.
struct Tap {
  inside: bool,
  plane: u32,
  row: i32,
  col: i32,
}

fn tap(k: u32) -> Tap {
  let window = p.kernelH * p.kernelW;
  let at = k % window;
  return Tap(
    k < taps,
    k / window * p.height * p.width,
    i32(at / p.kernelW * p.dilationH),
    i32(at % p.kernelW * p.dilationW),
  );
}

// The same as tap(k + 1), without its divisions.
fn next_tap(t: Tap, k: u32) -> Tap {
  let col = t.col + i32(p.dilationW);
  let line_ends = col >= i32(p.kernelW * p.dilationW);
  let row = t.row + select(0, i32(p.dilationH), line_ends);
  let window_ends = row >= i32(p.kernelH * p.dilationH);
  return Tap(
    k + 1u < taps,
    t.plane + select(0u, p.height * p.width, window_ends),
    select(row, 0, window_ends),
    select(col, 0, line_ends),
  );
}

fn row_offset(m: u32) -> u32 {
  return (group_index * group_filters + min(m, group_filters - 1u)) * taps;
}

fn load_a(offset: u32, k: u32) -> f32 {
  return vec4f(W4(w[offset + k])).x;
}

fn load_a_four(offset: u32, k: u32) -> vec4f {
  return vec4f(W4(w[(offset + k) / 4u]));
}

fn load_b(t: Tap, c: Column) -> f32 {
  let row = c.row + t.row;
  let col = c.col + t.col;
  // A negative number is a large one as u32. Selecting is quicker than branching on every device.
  let inside = t.inside & (u32(row) < p.height) & (u32(col) < p.width);
  let at = select(0u, c.image + t.plane + u32(row) * p.width + u32(col), inside);
  return select(0.0, vec4f(X4(x[at])).x, inside);
}

// Where the window is one pixel, and every pixel has one: four columns are four neighbours in x.
fn load_b_four(t: Tap, c: Column) -> vec4f {
  let at = c.image + t.plane + u32(c.row) * p.width + u32(c.col);
  return select(vec4f(), vec4f(X4(x[select(0u, at / 4u, t.inside)])), t.inside);
}

fn place(m: u32, c: Column) -> u32 {
  return c.out + (group_index * group_filters + m) * p.outHeight * p.outWidth;
}

fn finish(m: u32, c: Column, sum: f32) -> f32 {
  var value = sum;
  if (p.hasBias == 1u) {
    value += bias[group_index * group_filters + m];
  }
  if (p.hasResidual == 1u) {
    value += f32(residual[place(m, c)]);
  }
  return activate(value, p.activation, p.clipMin, p.clipMax);
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  // Kept in variables of this function too: only there does the compiler see that all lanes agree.
  let filters = p.filters / p.groups;
  let k_count = p.channels / p.groups * p.kernelH * p.kernelW;
  let n_count = p.batch * p.outHeight * p.outWidth;
  group_channels = p.channels / p.groups;
  group_filters = filters;
  taps = k_count;
  columns = n_count;
  for (var g = group.z; g < p.groups; g += groups.z) {
    group_index = g;
    for (var m = group.y * ROWS; m < filters; m += groups.y * ROWS) {
      for (var n = group.x * COLUMNS; n < n_count; n += groups.x * COLUMNS) {
        multiply_tile(m, n, filters, k_count, lane);
      }
    }
  }
}
