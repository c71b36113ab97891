// softmax: normalised exponentials along one axis, or their logarithm.
//
// y[o,c,i] = exp(x[o,c,i] - max) / sum over c of exp(x[o,c,i] - max), max over the axis; log 1: x - max - ln(sum).
// Shapes: x and y [outer, axis, inner].
// Constants from the host: LANES of a workgroup, of which SHARE (a power of two) work on one line together.
// Numerics: a line that holds NaN or +infinity is NaN in all its elements. Each of a line's lanes sums every SHARE-th
//           element from the first upwards, then the lanes are summed in a tree; SHARE depends on the axis alone.
// Source: ONNX operators Softmax and LogSoftmax, opset 13. Joining: common/lines-shared.wgsl.

struct Params {
  outer: u32,
  axis: u32,
  inner: u32,
  log: u32,
}

@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read_write> y: array<Y>;
@group(0) @binding(2) var<uniform> p: Params;

const LINES = LANES / SHARE;

const LARGER = 0u;
const SUM = 1u;

fn combine(kind: u32, u: f32, v: f32) -> f32 {
  if (kind == SUM) {
    return u + v;
  }
  return select(u, v, v > u);
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let line = (group.y * groups.x + group.x) * LINES + lane / SHARE;
  let part = lane % SHARE;
  // A lane beyond the last line walks an empty axis, so that all lanes meet at the barriers.
  let axis = select(0u, p.axis, line < p.outer * p.inner);
  let first = line / p.inner * p.axis * p.inner + line % p.inner;

  var best = bitcast<f32>(0xff800000u | (p.log & 0u));
  for (var c = part; c < axis; c += SHARE) {
    let value = f32(x[first + c * p.inner]);
    best = select(best, value, value > best);
  }
  best = join_line(LARGER, lane, part, best);

  // NaN is in none of the comparisons above; it comes back in the sum, and through it into the whole line.
  var sum = 0.0;
  for (var c = part; c < axis; c += SHARE) {
    sum += exp_f32(f32(x[first + c * p.inner]) - best);
  }
  sum = join_line(SUM, lane, part, sum);

  for (var c = part; c < axis; c += SHARE) {
    let at = first + c * p.inner;
    let shifted = f32(x[at]) - best;
    var value = 0.0;
    if (is_nan(sum)) {
      value = sum;
    } else if (p.log == 1u) {
      value = shifted - log_f32(sum);
    } else {
      value = exp_f32(shifted) / sum;
    }
    y[at] = Y(value);
  }
}
