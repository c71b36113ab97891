/**
 * copy: a strided walk from one tensor into another.
 *
 * Shapes: x and y of any length; offsets and strides in elements. Params: src/compute/kernels/copy.ts. No scratch.
 * Numerics: bits are kept: elements move as 32-bit integers.
 * Source: ONNX Transpose, Slice, Concat.
 */
export function copy(
  x: usize, y: usize, scratch: usize,
  dim0: u32, dim1: u32, dim2: u32, dim3: u32, dim4: u32, dim5: u32,
  offsetX: u32, strideX0: i32, strideX1: i32, strideX2: i32, strideX3: i32, strideX4: i32, strideX5: i32,
  offsetY: u32, strideY0: i32, strideY1: i32, strideY2: i32, strideY3: i32, strideY4: i32, strideY5: i32,
): void {
  for (let i0: u32 = 0; i0 < dim0; i0++) {
    for (let i1: u32 = 0; i1 < dim1; i1++) {
      for (let i2: u32 = 0; i2 < dim2; i2++) {
        for (let i3: u32 = 0; i3 < dim3; i3++) {
          for (let i4: u32 = 0; i4 < dim4; i4++) {
            let from = x + ((offsetX + i0 * strideX0 + i1 * strideX1 + i2 * strideX2 + i3 * strideX3 + i4 * strideX4) << 2)
            let to = y + ((offsetY + i0 * strideY0 + i1 * strideY1 + i2 * strideY2 + i3 * strideY3 + i4 * strideY4) << 2)
            if (strideX5 == 1 && strideY5 == 1) {
              memory.copy(to, from, dim5 << 2)
              continue
            }
            for (let i5: u32 = 0; i5 < dim5; i5++) {
              store<u32>(to, load<u32>(from))
              from += strideX5 << 2
              to += strideY5 << 2
            }
          }
        }
      }
    }
  }
}
