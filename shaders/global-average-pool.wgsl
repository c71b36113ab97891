// global-average-pool: the mean of each plane.
//
// Shapes: x [planes, area] (planes = N * C, area = H * W), y [planes].
// Constants from the host: LANES of a workgroup, of which SHARE (a power of two) work on one plane together.
// Numerics: each of a plane's lanes sums every SHARE-th element from the first upwards, then the lanes are summed in a
//           tree, then one division; SHARE depends on the area alone.
// Source: ONNX operator GlobalAveragePool, opset 1.

struct Params {
  planes: u32,
  area: u32,
}

@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read_write> y: array<Y>;
@group(0) @binding(2) var<uniform> p: Params;

const PLANES = LANES / SHARE;

var<workgroup> partial: array<f32, LANES>;

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
  partial[lane] = sum;
  for (var step = SHARE / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (part < step) {
      partial[lane] += partial[lane + step];
    }
  }
  if (part == 0u && plane < p.planes) {
    if (p.area == 0u) {
      // 0 / 0; a division by a constant zero is the driver's choice.
      y[plane] = Y(bitcast<f32>(0x7fc00000u | (p.area & 0u)));
    } else {
      y[plane] = Y(partial[lane] / f32(p.area));
    }
  }
}
