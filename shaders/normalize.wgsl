// normalize: every row to mean 0 and variance 1, then scaled and shifted by column.
//
// y[o,i] = (x[o,i] - mean) / sqrt(variance + epsilon) * scale[i] + bias[i]
// Shapes: x and y [outer, inner], scale and bias [inner].
// Constants from the host: LANES of a workgroup, of which SHARE (a power of two) work on one row together.
// Numerics: the mean first, then the variance from differences to it; each of a row's lanes sums every SHARE-th element, then the
//           lanes are summed in a tree; SHARE depends on the row's length alone.
// Source: ONNX operators LayerNormalization (opset 17), InstanceNormalization (6), GroupNormalization (21).
//         Joining: common/lines-shared.wgsl.

struct Params {
  outer: u32,
  inner: u32,
  epsilon: f32,
  hasScale: u32,
  hasBias: u32,
}

@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read> scale: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<Y>;
@group(0) @binding(4) var<uniform> p: Params;

const ROWS = LANES / SHARE;

fn combine(kind: u32, u: f32, v: f32) -> f32 {
  return u + v;
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (group.y * groups.x + group.x) * ROWS + lane / SHARE;
  let part = lane % SHARE;
  // A lane beyond the last row walks an empty one, so that all lanes meet at the barriers.
  let count = select(0u, p.inner, row < p.outer);
  let first = row * p.inner;
  var sum = 0.0;
  for (var i = part; i < count; i += SHARE) {
    sum += f32(x[first + i]);
  }
  let mean = join_line(0u, lane, part, sum) / f32(p.inner);
  var squares = 0.0;
  for (var i = part; i < count; i += SHARE) {
    let difference = f32(x[first + i]) - mean;
    squares += difference * difference;
  }
  let deviation = sqrt(join_line(0u, lane, part, squares) / f32(p.inner) + p.epsilon);
  for (var i = part; i < count; i += SHARE) {
    var value = (f32(x[first + i]) - mean) / deviation;
    if (p.hasScale == 1u) {
      value *= scale[i];
    }
    if (p.hasBias == 1u) {
      value += bias[i];
    }
    y[first + i] = Y(value);
  }
}
