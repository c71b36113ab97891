/**
 * matmul: batched product of two matrices that are both made at run time, read by strides, so that transposes and
 * broadcasts of either cost nothing.
 *
 * y[s,t,i,j] = sum over l of a[s*strideA0 + t*strideA1 + i*strideAM + l*strideAK]
 *                          * b[s*strideB0 + t*strideB1 + l*strideBK + j*strideBN]
 * Shapes: y [batch0, batch1, m, n], dense; strides in elements, 0 repeats. Plain row-major matrices have strideAM = k,
 *         strideAK = 1, strideBK = n, strideBN = 1.
 * Numerics: one sum in the order of l from 0.
 * Source: ONNX operators MatMul (opset 13) and Einsum.
 */
import { defineKernel } from './contract.ts'

export const matmul = defineKernel({
  fields: {
    batch0: 'u32',
    batch1: 'u32',
    m: 'u32',
    n: 'u32',
    k: 'u32',
    strideA0: 'u32',
    strideA1: 'u32',
    strideAM: 'u32',
    strideAK: 'u32',
    strideB0: 'u32',
    strideB1: 'u32',
    strideBK: 'u32',
    strideBN: 'u32',
  },
  operands: ['a', 'b'],
  reference(p, [a, b], y) {
    let at = 0
    for (let s = 0; s < p.batch0; s++)
      for (let t = 0; t < p.batch1; t++)
        for (let i = 0; i < p.m; i++)
          for (let j = 0; j < p.n; j++, at++) {
            const row = s * p.strideA0 + t * p.strideA1 + i * p.strideAM
            const column = s * p.strideB0 + t * p.strideB1 + j * p.strideBN
            let sum = 0
            for (let l = 0; l < p.k; l++) sum += a[row + l * p.strideAK] * b[column + l * p.strideBK]
            y[at] = sum
          }
  },
  cost(p) {
    const products = p.batch0 * p.batch1
    return { flops: 2 * products * p.m * p.n * p.k, bytes: 4 * products * (p.m * p.k + p.k * p.n + p.m * p.n) }
  },
})
