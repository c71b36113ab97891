/**
 * copy: a strided walk from one tensor into another: transposes, slices, and the parts of a concatenation.
 *
 * y[offsetY + sum of i*strideY] = x[offsetX + sum of i*strideX] for all i0..i5 in dim0..dim5; what is not named in y
 * stays as it was.
 * Shapes: x and y of any length; offsets and strides in elements, a negative stride walks backwards.
 * Numerics: bits are kept, NaN payloads and -0 too.
 * Source: ONNX operators Transpose, Slice, Concat, Expand.
 */
import { defineKernel } from './contract.ts'

export const copy = defineKernel({
  fields: {
    dim0: 'u32',
    dim1: 'u32',
    dim2: 'u32',
    dim3: 'u32',
    dim4: 'u32',
    dim5: 'u32',
    offsetX: 'u32',
    strideX0: 'i32',
    strideX1: 'i32',
    strideX2: 'i32',
    strideX3: 'i32',
    strideX4: 'i32',
    strideX5: 'i32',
    offsetY: 'u32',
    strideY0: 'i32',
    strideY1: 'i32',
    strideY2: 'i32',
    strideY3: 'i32',
    strideY4: 'i32',
    strideY5: 'i32',
  },
  operands: ['x'],
  reference(p, [x], y) {
    for (let i0 = 0; i0 < p.dim0; i0++)
      for (let i1 = 0; i1 < p.dim1; i1++)
        for (let i2 = 0; i2 < p.dim2; i2++)
          for (let i3 = 0; i3 < p.dim3; i3++)
            for (let i4 = 0; i4 < p.dim4; i4++) {
              let atX =
                p.offsetX + i0 * p.strideX0 + i1 * p.strideX1 + i2 * p.strideX2 + i3 * p.strideX3 + i4 * p.strideX4
              let atY =
                p.offsetY + i0 * p.strideY0 + i1 * p.strideY1 + i2 * p.strideY2 + i3 * p.strideY3 + i4 * p.strideY4
              for (let i5 = 0; i5 < p.dim5; i5++) {
                y[atY] = x[atX]
                atX += p.strideX5
                atY += p.strideY5
              }
            }
  },
  cost(p) {
    return { flops: 0, bytes: 8 * p.dim0 * p.dim1 * p.dim2 * p.dim3 * p.dim4 * p.dim5 }
  },
})
