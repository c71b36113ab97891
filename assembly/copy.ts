/**
 * copy: a strided walk from one tensor into another.
 *
 * Shapes: x and y of any length; offsets and strides in elements. Params: src/compute/kernels/copy.ts. No scratch.
 * Numerics: bits are kept: elements move as 32-bit integers.
 * Source: ONNX Transpose, Slice, Concat, Expand. The last axis goes in runs where it is contiguous in both; where the one
 *         before it is contiguous in x instead, as in a transpose, the two go in squares of 4 x 4.
 */
import { storeLanes } from './simd'

/** So many elements of the axis before the last are taken at a time: a cache line of x. */
const BAND: u32 = 16

/** y[i * strideY + j] = x[j * strideX + i] for 4 x 4 of them. */
// @ts-ignore: decorator
@inline
function square(from: usize, to: usize, strideX: u32, strideY: u32): void {
  const a = v128.load(from), b = v128.load(from + strideX)
  const c = v128.load(from + 2 * strideX), d = v128.load(from + 3 * strideX)
  const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5), cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5)
  v128.store(to, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5))
  v128.store(to + strideY, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7))
  const ef = v128.shuffle<f32>(a, b, 2, 6, 3, 7), gh = v128.shuffle<f32>(c, d, 2, 6, 3, 7)
  v128.store(to + 2 * strideY, v128.shuffle<f32>(ef, gh, 0, 1, 4, 5))
  v128.store(to + 3 * strideY, v128.shuffle<f32>(ef, gh, 2, 3, 6, 7))
}

/** Two axes: i below `rows`, contiguous in x, and j below `columns`, contiguous in y. Strides in bytes. */
function transpose(from: usize, to: usize, rows: u32, columns: u32, strideX: u32, strideY: u32): void {
  const wholeColumns = columns & ~3
  for (let band: u32 = 0; band < rows; band += BAND) {
    const end = min(rows, band + BAND), wholeEnd = band + ((end - band) & ~3)
    for (let j: u32 = 0; j < wholeColumns; j += 4) {
      const x = from + j * strideX, y = to + (j << 2)
      for (let i = band; i < wholeEnd; i += 4) square(x + (i << 2), y + i * strideY, strideX, strideY)
      for (let i = wholeEnd; i < end; i++) {
        for (let c: u32 = 0; c < 4; c++) store<u32>(y + i * strideY + (c << 2), load<u32>(x + c * strideX + (i << 2)))
      }
    }
    for (let j = wholeColumns; j < columns; j++) {
      for (let i = band; i < end; i++) store<u32>(to + i * strideY + (j << 2), load<u32>(from + j * strideX + (i << 2)))
    }
  }
}

/** One line of the last axis. Strides in bytes. */
function line(from: usize, to: usize, count: u32, strideX: i32, strideY: i32): void {
  if (strideY == 4 && strideX == 4 && count > 8) {
    memory.copy(to, from, count << 2)
  } else if (strideY == 4 && strideX == 0) {
    const value = v128.load32_splat(from)
    for (let i: u32 = 0; i < count; i += 4) storeLanes(to + (i << 2), value, count - i)
  } else {
    for (let i: u32 = 0; i < count; i++) {
      store<u32>(to, load<u32>(from))
      from += strideX
      to += strideY
    }
  }
}

export function copy(
  x: usize, y: usize, scratch: usize,
  dim0: u32, dim1: u32, dim2: u32, dim3: u32, dim4: u32, dim5: u32,
  offsetX: u32, strideX0: i32, strideX1: i32, strideX2: i32, strideX3: i32, strideX4: i32, strideX5: i32,
  offsetY: u32, strideY0: i32, strideY1: i32, strideY2: i32, strideY3: i32, strideY4: i32, strideY5: i32,
): void {
  const transposes = strideX4 == 1 && strideY5 == 1 && strideX5 > 1 && strideY4 > 0 && dim4 > 1
  for (let i0: u32 = 0; i0 < dim0; i0++) {
    for (let i1: u32 = 0; i1 < dim1; i1++) {
      for (let i2: u32 = 0; i2 < dim2; i2++) {
        for (let i3: u32 = 0; i3 < dim3; i3++) {
          const fromX = x + ((offsetX + i0 * strideX0 + i1 * strideX1 + i2 * strideX2 + i3 * strideX3) << 2)
          const toY = y + ((offsetY + i0 * strideY0 + i1 * strideY1 + i2 * strideY2 + i3 * strideY3) << 2)
          if (transposes) {
            transpose(fromX, toY, dim4, dim5, strideX5 << 2, strideY4 << 2)
            continue
          }
          for (let i4: u32 = 0; i4 < dim4; i4++) {
            line(fromX + ((i4 * strideX4) << 2), toY + ((i4 * strideY4) << 2), dim5, strideX5 << 2, strideY5 << 2)
          }
        }
      }
    }
  }
}
