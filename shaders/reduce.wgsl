// reduce: one number for each line along an axis.
//
// Shapes: x [outer, axis, inner], y [outer, inner]; `op` is a value of reduceOps in src/compute/kernels/reduce.ts.
// Constants from the host: LANES of a workgroup, of which SHARE (a power of two) work on one line together.
// Numerics: each of a line's lanes takes every SHARE-th element from the first upwards, then the lanes are combined in a tree; SHARE
//           depends on the axis alone. max and min give NaN if one is NaN; argMax and argMin pass NaN over.
// Source: ONNX operators Reduce*, ArgMax, ArgMin, opset 18. Joining: common/lines-shared.wgsl.

struct Params {
  outer: u32,
  axis: u32,
  inner: u32,
  op: u32,
  selectLast: u32,
}

@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> p: Params;

const LINES = LANES / SHARE;

// The place of a partial result that met no number.
const NOWHERE = 0xffffffffu;

// Of argMax and argMin, whose lanes join in workgroup memory.
var<workgroup> bests: array<f32, LANES>;
var<workgroup> places: array<u32, LANES>;

fn starts() -> f32 {
  // Bits, because infinities are no constants in WGSL; `p.op & 0` keeps the compiler from seeing one.
  switch (p.op) {
    case 2u, 10u: { return bitcast<f32>(0xff800000u | (p.op & 0u)); }
    case 3u, 11u: { return bitcast<f32>(0x7f800000u | (p.op & 0u)); }
    case 4u: { return 1.0; }
    default: { return 0.0; }
  }
}

// What an element adds.
fn term(v: f32) -> f32 {
  switch (p.op) {
    case 5u: { return abs(v); }
    case 6u, 7u: { return v * v; }
    default: { return v; }
  }
}

fn larger(u: f32, v: f32) -> f32 {
  if (is_nan(u)) { return u; }
  if (is_nan(v)) { return v; }
  return select(u, v, v > u);
}

fn smaller(u: f32, v: f32) -> f32 {
  if (is_nan(u)) { return u; }
  if (is_nan(v)) { return v; }
  return select(u, v, v < u);
}

// `kind`: an op; 9, logSumExp, joins its exponentials.
fn combine(kind: u32, u: f32, v: f32) -> f32 {
  switch (kind) {
    case 2u: { return larger(u, v); }
    case 3u: { return smaller(u, v); }
    case 4u: { return u * v; }
    default: { return u + v; }
  }
}

fn wins(value: f32, place: u32, best: f32, at: u32) -> bool {
  if (place == NOWHERE) { return false; }
  if (at == NOWHERE) { return true; }
  if (value == best) { return (place > at) == (p.selectLast == 1u); }
  return (value > best) == (p.op == 10u);
}

fn join_places(lane: u32, part: u32) {
  for (var step = SHARE / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (part < step) {
      let other = lane + step;
      if (wins(bests[other], places[other], bests[lane], places[lane])) {
        bests[lane] = bests[other];
        places[lane] = places[other];
      }
    }
  }
}

fn finish(total: f32) -> f32 {
  switch (p.op) {
    case 1u: {
      if (p.axis == 0u) {
        return bitcast<f32>(0x7fc00000u | (p.op & 0u));
      }
      return total / f32(p.axis);
    }
    case 6u: { return sqrt(total); }
    case 8u: { return log_f32(total); }
    default: { return total; }
  }
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let line = (group.y * groups.x + group.x) * LINES + lane / SHARE;
  let part = lane % SHARE;
  let inside = line < p.outer * p.inner;
  // A lane beyond the last line walks an empty axis, so that all lanes meet at the barriers.
  let axis = select(0u, p.axis, inside);
  let first = line / p.inner * p.axis * p.inner + line % p.inner;

  if (p.op >= 10u) {
    bests[lane] = starts();
    places[lane] = NOWHERE;
    for (var c = part; c < axis; c += SHARE) {
      let value = f32(x[first + c * p.inner]);
      if (!is_nan(value) && wins(value, c, bests[lane], places[lane])) {
        bests[lane] = value;
        places[lane] = c;
      }
    }
    join_places(lane, part);
    if (part == 0u && inside) {
      y[line] = select(f32(places[lane]), 0.0, places[lane] == NOWHERE);
    }
    return;
  }
  if (p.op == 9u) {
    var top = bitcast<f32>(0xff800000u | (p.op & 0u));
    for (var c = part; c < axis; c += SHARE) {
      top = larger(top, f32(x[first + c * p.inner]));
    }
    top = join_line(2u, lane, part, top);
    // An infinity minus itself would make NaN of it.
    let finite = (bitcast<u32>(top) & 0x7f800000u) != 0x7f800000u;
    var exponentials = 0.0;
    for (var c = part; c < axis; c += SHARE) {
      exponentials += exp_f32(f32(x[first + c * p.inner]) - top);
    }
    let total = join_line(9u, lane, part, exponentials);
    if (part == 0u && inside) {
      y[line] = top;
      if (finite) {
        y[line] = top + log_f32(total);
      }
    }
    return;
  }
  var so_far = starts();
  for (var c = part; c < axis; c += SHARE) {
    so_far = combine(p.op, so_far, term(f32(x[first + c * p.inner])));
  }
  let total = join_line(p.op, lane, part, so_far);
  if (part == 0u && inside) {
    y[line] = finish(total);
  }
}
