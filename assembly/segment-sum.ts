/**
 * segment-sum: rows added up by the segment that each one's label names, block by block of rows.
 *
 * Shapes: x [blocks, rows, inner], labels [blocks, rows], y [blocks, segments, inner]. Params: src/compute/kernels/segment-sum.ts.
 *         No scratch.
 * Numerics: one sum in the order of the rows; a label that names no segment counts nowhere.
 * Source: as the contract.
 */
import { storeLanes } from './simd'

export function segmentSum(
  x: usize, labels: usize, y: usize, scratch: usize, blocks: u32, rows: u32, inner: u32, segments: u32,
): void {
  const bytes = inner << 2
  const whole = bytes & ~15
  for (let s: u32 = 0; s < blocks; s++) {
    memory.fill(y, 0, segments * bytes)
    for (let r: u32 = 0; r < rows; r++) {
      const label = load<f32>(labels)
      labels += 4
      // False for NaN too.
      if (label >= 0 && label < <f32>segments && trunc<f32>(label) == label) {
        const to = y + <u32>label * bytes
        let at: u32 = 0
        for (; at < whole; at += 16) v128.store(to + at, f32x4.add(v128.load(to + at), v128.load(x + at)))
        if (at < bytes) storeLanes(to + at, f32x4.add(v128.load(to + at), v128.load(x + at)), (bytes - at) >> 2)
      }
      x += bytes
    }
    y += segments * bytes
  }
}
