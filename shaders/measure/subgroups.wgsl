// Whether the lanes of a subgroup are neighbours in a workgroup, in their order, as common/lines-subgroup.wgsl needs them:
// WGSL leaves that to the driver. Each lane asks those that are a power of two below SUBGROUP apart for their places.
// Constants from the host: LANES, SUBGROUP.

@group(0) @binding(0) var<storage, read_write> wrong: atomic<u32>;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  for (var step = SUBGROUP / 2u; step > 0u; step /= 2u) {
    if (subgroupShuffleXor(lane, step) != (lane ^ step)) {
      atomicAdd(&wrong, 1u);
    }
  }
}
