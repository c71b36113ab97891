// global-average-pool: the mean of each plane.
//
// Shapes: x [planes, area] (planes = N * C, area = H * W), y [planes].
// Constants from the host: LANES of a workgroup, of which SHARE (a power of two) work on one plane together.
// Numerics: each of a plane's lanes sums every SHARE-th element from the first upwards, then the lanes are summed in a
//           tree, then one division; SHARE depends on the area alone.
// Source: ONNX operator GlobalAveragePool, opset 1. Joining: common/lines-shared.wgsl.

struct Params {
  planes: u32,
  area: u32,
}

@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read_write> y: array<Y>;
@group(0) @binding(2) var<uniform> p: Params;

const PLANES = LANES / SHARE;

fn combine(kind: u32, u: f32, v: f32) -> f32 {
  return u + v;
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let plane = (group.y * groups.x + group.x) * PLANES + lane / SHARE;
  let part = lane % SHARE;
  // A lane beyond the last plane sums nothing, so that all lanes meet at the barriers.
  let area = select(0u, p.area, plane < p.planes);
  var sum = 0.0;
  for (var i = part; i < area; i += SHARE) {
    sum += f32(x[plane * p.area + i]);
  }
  let total = join_line(0u, lane, part, sum);
  if (part == 0u && plane < p.planes) {
    if (p.area == 0u) {
      // 0 / 0; a division by a constant zero is the driver's choice.
      y[plane] = Y(bitcast<f32>(0x7fc00000u | (p.area & 0u)));
    } else {
      y[plane] = Y(total / f32(p.area));
    }
  }
}
