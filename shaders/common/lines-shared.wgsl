// How the lanes of one line put together what each of them has: a tree through workgroup memory.
//
// A line has SHARE neighbouring lanes (a power of two) of the workgroup's LANES, `part` is a lane's place among them. The
// kernel says what `combine(kind, u, v)` makes of two. All lanes of the workgroup call this together.
// Constants from the host: LANES, SHARE.
// Numerics: first the lanes that are SHARE / 2 apart, then half as far, down to neighbours.

var<workgroup> partial: array<f32, LANES>;

fn join_line(kind: u32, lane: u32, part: u32, value: f32) -> f32 {
  if (SHARE == 1u) {
    return value;
  }
  partial[lane] = value;
  for (var step = SHARE / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (part < step) {
      partial[lane] = combine(kind, partial[lane], partial[lane + step]);
    }
  }
  workgroupBarrier();
  let joined = partial[lane - part];
  // Before the next call writes.
  workgroupBarrier();
  return joined;
}
