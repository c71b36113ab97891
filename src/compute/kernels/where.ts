/**
 * where: one of two elements, chosen by a third, with broadcasting.
 *
 * y[i0..i5] = condition[sum of i*strideC] != 0 ? a[sum of i*strideA] : b[sum of i*strideB]; y is dense.
 * Shapes: y [dim0, dim1, dim2, dim3, dim4, dim5], axes joined and padded in front with 1 (tensor/strides.ts); a stride
 *         of 0 repeats.
 * Numerics: bits are kept; a condition that is NaN is true.
 * Source: ONNX operator Where, opset 16.
 */
import { defineKernel } from './contract.ts'

export const where = defineKernel({
  fields: {
    dim0: 'u32',
    dim1: 'u32',
    dim2: 'u32',
    dim3: 'u32',
    dim4: 'u32',
    dim5: 'u32',
    strideC0: 'i32',
    strideC1: 'i32',
    strideC2: 'i32',
    strideC3: 'i32',
    strideC4: 'i32',
    strideC5: 'i32',
    strideA0: 'i32',
    strideA1: 'i32',
    strideA2: 'i32',
    strideA3: 'i32',
    strideA4: 'i32',
    strideA5: 'i32',
    strideB0: 'i32',
    strideB1: 'i32',
    strideB2: 'i32',
    strideB3: 'i32',
    strideB4: 'i32',
    strideB5: 'i32',
  },
  operands: ['condition', 'a', 'b'],
  reference(p, [condition, a, b], y) {
    let at = 0
    for (let i0 = 0; i0 < p.dim0; i0++)
      for (let i1 = 0; i1 < p.dim1; i1++)
        for (let i2 = 0; i2 < p.dim2; i2++)
          for (let i3 = 0; i3 < p.dim3; i3++)
            for (let i4 = 0; i4 < p.dim4; i4++) {
              let atC = i0 * p.strideC0 + i1 * p.strideC1 + i2 * p.strideC2 + i3 * p.strideC3 + i4 * p.strideC4
              let atA = i0 * p.strideA0 + i1 * p.strideA1 + i2 * p.strideA2 + i3 * p.strideA3 + i4 * p.strideA4
              let atB = i0 * p.strideB0 + i1 * p.strideB1 + i2 * p.strideB2 + i3 * p.strideB3 + i4 * p.strideB4
              for (let i5 = 0; i5 < p.dim5; i5++, at++) {
                y[at] = condition[atC] !== 0 ? a[atA] : b[atB]
                atC += p.strideC5
                atA += p.strideA5
                atB += p.strideB5
              }
            }
  },
  cost(p) {
    return { flops: 0, bytes: 16 * p.dim0 * p.dim1 * p.dim2 * p.dim3 * p.dim4 * p.dim5 }
  },
})
