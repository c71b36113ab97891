// Indices as float32 carries them; the same as wrapIndex in src/compute/kernels/gather.ts. Needs common/math.wgsl.

// An index as a place along an axis of `size`, counted from either end; -1 where it lies outside, or is NaN.
fn wrap_index(index: f32, size: u32) -> i32 {
  if (is_nan(index) || index < -f32(size) || index >= f32(size)) {
    return -1;
  }
  return i32(index) + select(0, i32(size), index < 0.0);
}
