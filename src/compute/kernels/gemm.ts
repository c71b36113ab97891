/**
 * gemm: matrix product, batched, with bias and activation.
 *
 * y[s,i,j] = act(bias[i*biasStrideM + j*biasStrideN] + sum over l of a[s,i,l] * b[s,l,j])
 * Shapes: a [batch, m, k], b [batch, k, n] or [batch, n, k] when transposeB is 1, y [batch, m, n]. sharedB 1: b has no batch
 *         axis. bias: [1], [n] (strides 0, 1), [m] (1, 0) or [m, n] (n, 1); the same for every s.
 * Numerics: one sum in the order of l from 0, then + bias, then the activation.
 * Source: ONNX operators Gemm (opset 13) and MatMul; alpha, beta and a transposed A are resolved before.
 */
import { activate, activationFields } from './activation.ts'
import { defineKernel } from './contract.ts'

export const gemm = defineKernel({
  fields: {
    batch: 'u32',
    m: 'u32',
    n: 'u32',
    k: 'u32',
    /** 1: b's rows are y's columns. */
    transposeB: 'u32',
    /** 1: the same b for all of the batch. */
    sharedB: 'u32',
    /** 1 when the operand bias is there. */
    hasBias: 'u32',
    biasStrideM: 'u32',
    biasStrideN: 'u32',
    ...activationFields,
  },
  operands: ['a', 'b', 'bias?'],
  reference(p, [a, b, bias], y) {
    const strideL = p.transposeB ? 1 : p.n
    const strideJ = p.transposeB ? p.k : 1
    let at = 0
    for (let s = 0; s < p.batch; s++) {
      const firstB = p.sharedB ? 0 : s * p.k * p.n
      for (let i = 0; i < p.m; i++) {
        const row = (s * p.m + i) * p.k
        for (let j = 0; j < p.n; j++, at++) {
          let sum = 0
          for (let l = 0; l < p.k; l++) sum += a[row + l] * b[firstB + l * strideL + j * strideJ]
          if (p.hasBias) sum += bias[i * p.biasStrideM + j * p.biasStrideN]
          y[at] = activate(p, sum)
        }
      }
    }
  },
  cost(p) {
    const matrices = p.sharedB ? 1 : p.batch
    return {
      flops: 2 * p.batch * p.m * p.n * p.k,
      bytes: 4 * (p.batch * p.m * (p.k + p.n) + matrices * p.k * p.n),
    }
  },
})
