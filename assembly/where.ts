/**
 * where: one of two elements, chosen by a third, with broadcasting.
 *
 * Shapes: y [dim0, …, dim5] dense, the others walked by strides in elements. Params: src/compute/kernels/where.ts. No scratch.
 * Numerics: bits are kept; a condition that is NaN is true.
 * Source: ONNX Where.
 */
import { storeLanes } from './simd'

/** Four elements: one after the other (stride 1), or one repeated (stride 0). */
// @ts-ignore: decorator
@inline
function loadStrided(at: usize, stride: i32): v128 {
  return stride ? v128.load(at) : v128.load32_splat(at)
}

function line(condition: usize, a: usize, b: usize, y: usize, count: u32, strideC: i32, strideA: i32, strideB: i32): void {
  if (<u32>strideC <= 1 && <u32>strideA <= 1 && <u32>strideB <= 1) {
    for (let i: u32 = 0; i < count; i += 4) {
      const at = i << 2
      const chosen = f32x4.ne(loadStrided(condition + at * strideC, strideC), f32x4.splat(0))
      const value = v128.bitselect(loadStrided(a + at * strideA, strideA), loadStrided(b + at * strideB, strideB), chosen)
      storeLanes(y + at, value, count - i)
    }
    return
  }
  for (let i: u32 = 0; i < count; i++) {
    store<u32>(y + (i << 2), load<f32>(condition) != 0 ? load<u32>(a) : load<u32>(b))
    condition += strideC << 2
    a += strideA << 2
    b += strideB << 2
  }
}

export function where(
  condition: usize, a: usize, b: usize, y: usize, scratch: usize,
  dim0: u32, dim1: u32, dim2: u32, dim3: u32, dim4: u32, dim5: u32,
  strideC0: i32, strideC1: i32, strideC2: i32, strideC3: i32, strideC4: i32, strideC5: i32,
  strideA0: i32, strideA1: i32, strideA2: i32, strideA3: i32, strideA4: i32, strideA5: i32,
  strideB0: i32, strideB1: i32, strideB2: i32, strideB3: i32, strideB4: i32, strideB5: i32,
): void {
  for (let i0: u32 = 0; i0 < dim0; i0++) {
    for (let i1: u32 = 0; i1 < dim1; i1++) {
      for (let i2: u32 = 0; i2 < dim2; i2++) {
        for (let i3: u32 = 0; i3 < dim3; i3++) {
          for (let i4: u32 = 0; i4 < dim4; i4++) {
            const atC = (i0 * strideC0 + i1 * strideC1 + i2 * strideC2 + i3 * strideC3 + i4 * strideC4) << 2
            const atA = (i0 * strideA0 + i1 * strideA1 + i2 * strideA2 + i3 * strideA3 + i4 * strideA4) << 2
            const atB = (i0 * strideB0 + i1 * strideB1 + i2 * strideB2 + i3 * strideB3 + i4 * strideB4) << 2
            line(condition + atC, a + atA, b + atB, y, dim5, strideC5, strideA5, strideB5)
            y += dim5 << 2
          }
        }
      }
    }
  }
}
