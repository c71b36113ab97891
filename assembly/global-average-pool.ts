/**
 * global-average-pool: the mean of each plane.
 *
 * Shapes: x [planes, area], y [planes]. Params: src/compute/kernels/global-average-pool.ts. No scratch.
 * Numerics: four partial sums, then their sum, then the rest, then one division; the same for every plane.
 * Source: ONNX GlobalAveragePool.
 */
export function globalAveragePool(x: usize, y: usize, scratch: usize, planes: u32, area: u32): void {
  for (let plane: u32 = 0; plane < planes; plane++) {
    let sums = f32x4.splat(0)
    let i: u32 = 0
    for (; i + 4 <= area; i += 4) sums = f32x4.add(sums, v128.load(x + (i << 2)))
    let sum = f32x4.extract_lane(sums, 0) + f32x4.extract_lane(sums, 1) + f32x4.extract_lane(sums, 2) + f32x4.extract_lane(sums, 3)
    for (; i < area; i++) sum += load<f32>(x + (i << 2))
    store<f32>(y, sum / <f32>area)
    x += area << 2
    y += 4
  }
}
