/**
 * gather-elements: elements of a tensor, each chosen by its own place along one axis.
 *
 * y[i0..i5] = x[i0..i5 with indices[i0..i5] in place of the one along `axis`]; a negative index counts from the end.
 * Shapes: x [dim0, …, dim5], indices and y [index0, …, index5], padded in front with 1; but along `axis` (0 to 5, counted
 *         with the padding) no index size exceeds x's.
 * Numerics: bits are kept. An index outside, or NaN, gives NaN and never a read outside.
 * Source: ONNX operator GatherElements, opset 13.
 */
import { defineKernel } from './contract.ts'
import { wrapIndex } from './gather.ts'

export const gatherElements = defineKernel({
  fields: {
    dim0: 'u32',
    dim1: 'u32',
    dim2: 'u32',
    dim3: 'u32',
    dim4: 'u32',
    dim5: 'u32',
    index0: 'u32',
    index1: 'u32',
    index2: 'u32',
    index3: 'u32',
    index4: 'u32',
    index5: 'u32',
    /** 0 to 5. */
    axis: 'u32',
  },
  operands: ['x', 'indices'],
  reference(p, [x, indices], y) {
    const dims = [p.dim0, p.dim1, p.dim2, p.dim3, p.dim4, p.dim5]
    const sizes = [p.index0, p.index1, p.index2, p.index3, p.index4, p.index5]
    const count = sizes.reduce((product, size) => product * size, 1)
    for (let at = 0; at < count; at++) {
      const place = wrapIndex(indices[at], dims[p.axis])
      y[at] = place < 0 ? Number.NaN : x[elementAt(at, sizes, dims, p.axis, place)]
    }
  },
  cost(p) {
    return { flops: 0, bytes: 12 * p.index0 * p.index1 * p.index2 * p.index3 * p.index4 * p.index5 }
  },
})

/** Element number `at` of a tensor of `sizes`, as an element of one of `dims`, moved to `place` along `axis`. */
export function elementAt(
  at: number,
  sizes: readonly number[],
  dims: readonly number[],
  axis: number,
  place: number,
): number {
  let element = 0
  let stride = 1
  for (let d = dims.length - 1; d >= 0; d--) {
    element += (d === axis ? place : at % sizes[d]) * stride
    at = Math.floor(at / sizes[d])
    stride *= dims[d]
  }
  return element
}
