// How the lanes of one line put together what each of them has: from register to register where they are of one subgroup.
// The same interface and, for the line's first lane, the same tree as common/lines-shared.wgsl, to the bit; the other
// lanes come to the same by the same pairs, in which the two may have changed places.
//
// Constants from the host: LANES, SHARE; SUBGROUP: lanes of the smallest subgroup that the device forms, which it forms of
// lanes in their order.

var<workgroup> partial: array<f32, LANES>;

fn join_line(kind: u32, lane: u32, part: u32, value: f32) -> f32 {
  var joined = value;
  for (var step = SHARE / 2u; step >= SUBGROUP; step /= 2u) {
    partial[lane] = joined;
    workgroupBarrier();
    let other = partial[lane ^ step];
    workgroupBarrier();
    joined = combine(kind, joined, other);
  }
  for (var step = min(SHARE, SUBGROUP) / 2u; step > 0u; step /= 2u) {
    joined = combine(kind, joined, subgroupShuffleXor(joined, step));
  }
  return joined;
}
