// The epilogue that conv2d, gemm, affine and binary share; the same as src/compute/kernels/activation.ts.
//
// relu(x) = max(x, 0), clip(x) = min(max(x, low), high). Numerics: comparisons are false for NaN, so that NaN passes
// through; WGSL's own max and min may lose it.

fn activate(x: f32, activation: u32, low: f32, high: f32) -> f32 {
  if (activation == 1u) {
    return select(x, 0.0, x < 0.0);
  }
  if (activation == 2u) {
    let raised = select(x, low, x < low);
    return select(raised, high, raised > high);
  }
  return x;
}
