/** The steps that learning programs are made of: kernels with their params filled in for rows of features. */
import { noActivation } from '../../compute/kernels/activation.ts'
import { type BinaryOp, binaryOps } from '../../compute/kernels/binary.ts'
import type { KernelParams } from '../../compute/kernels/index.ts'
import { type ReduceOp, reduceOps } from '../../compute/kernels/reduce.ts'
import { type UnaryOp, unaryOps } from '../../compute/kernels/unary.ts'
import { blockRows, groupBlocks } from './engine.ts'
import type { ProgramBuilder, Value } from './program.ts'

const six = (values: readonly number[], filler: number) => [
  ...new Array<number>(6 - values.length).fill(filler),
  ...values,
]

/** op(a, b) over `dims` (at most 6); strides in elements, 0 repeats. */
export function binaryStep(
  build: ProgramBuilder,
  op: BinaryOp,
  dims: readonly number[],
  [a, stridesA]: readonly [Value, readonly number[]],
  [b, stridesB]: readonly [Value, readonly number[]],
): Value {
  const [d, x, y] = [six(dims, 1), six(stridesA, 0), six(stridesB, 0)]
  const params: KernelParams['binary'] = {
    op: binaryOps[op],
    ...{ dim0: d[0], dim1: d[1], dim2: d[2], dim3: d[3], dim4: d[4], dim5: d[5] },
    ...{ strideA0: x[0], strideA1: x[1], strideA2: x[2], strideA3: x[3], strideA4: x[4], strideA5: x[5] },
    ...{ strideB0: y[0], strideB1: y[1], strideB2: y[2], strideB3: y[3], strideB4: y[4], strideB5: y[5] },
    ...noActivation,
  }
  return build.run(
    'binary',
    params,
    [a, b],
    dims.reduce((product, dim) => product * dim, 1),
  )
}

/** op(x[r, c], vector[c]) */
export function withColumns(b: ProgramBuilder, op: BinaryOp, x: Value, vector: Value, rows: number, columns: number) {
  return binaryStep(b, op, [rows, columns], [x, [columns, 1]], [vector, [0, 1]])
}

/** op(x[r, c], vector[r]) */
export function withRows(b: ProgramBuilder, op: BinaryOp, x: Value, vector: Value, rows: number, columns: number) {
  return binaryStep(b, op, [rows, columns], [x, [columns, 1]], [vector, [1, 0]])
}

/** op(x[i], y[i]) */
export function pairwise(b: ProgramBuilder, op: BinaryOp, x: Value, y: Value, count: number) {
  return binaryStep(b, op, [count], [x, [1]], [y, [1]])
}

export function unaryStep(b: ProgramBuilder, op: UnaryOp, x: Value, count: number, alpha = 0, beta = 0): Value {
  return b.run('unary', { count, op: unaryOps[op], alpha, beta }, [x], count)
}

/** x [outer, axis, inner] -> [outer, inner] */
export function reduceStep(
  b: ProgramBuilder,
  op: ReduceOp,
  x: Value,
  outer: number,
  axis: number,
  inner: number,
): Value {
  return b.run('reduce', { outer, axis, inner, op: reduceOps[op], selectLast: 0 }, [x], outer * inner)
}

/** y[s, r, j] = bias[j] + sum over l of x[s, r, l] * w: of w [s, n, k] with `transposed`, else of w [s, k, n]; one w for all s. */
export function productStep(
  b: ProgramBuilder,
  x: Value,
  w: Value,
  bias: Value | null,
  { m, n, k, batch = 1, transposed = false }: { m: number; n: number; k: number; batch?: number; transposed?: boolean },
): Value {
  const params: KernelParams['gemm'] = {
    ...{ batch, m, n, k, transposeB: transposed ? 1 : 0, sharedB: batch === 1 ? 1 : 0 },
    ...{ hasBias: bias === null ? 0 : 1, biasStrideM: 0, biasStrideN: bias === null ? 0 : 1, ...noActivation },
  }
  return b.run('gemm', params, [x, w, bias], batch * m * n)
}

/** Sums of products over groups of rows: left [s, rows, m], right [s, rows, n] -> [s, groups, m, n]. */
export function blockProducts(
  b: ProgramBuilder,
  left: Value,
  right: Value,
  { rows, m, n, batch = 1 }: { rows: number; m: number; n: number; batch?: number },
): Value {
  const blocks = rows / blockRows
  const params: KernelParams['matmul'] = {
    ...{ batch0: batch, batch1: blocks, m, n, k: blockRows },
    ...{ strideA0: rows * m, strideA1: blockRows * m, strideAM: 1, strideAK: m },
    ...{ strideB0: rows * n, strideB1: blockRows * n, strideBK: n, strideBN: 1 },
  }
  const products = b.run('matmul', params, [left, right], batch * blocks * m * n)
  return groupSums(b, products, blocks, m * n, batch)
}

/** Sums over groups of rows: x [s, rows, n] -> [s, groups, n]. */
export function blockSums(b: ProgramBuilder, x: Value, rows: number, n: number, batch = 1): Value {
  const blocks = rows / blockRows
  return groupSums(b, reduceStep(b, 'sum', x, batch * blocks, blockRows, n), blocks, n, batch)
}

/** Sums over groups of rows by label: x [rows, inner], labels [rows] -> [groups, segments, inner]. */
export function segmentSums(
  b: ProgramBuilder,
  x: Value,
  labels: Value,
  { rows, inner, segments }: { rows: number; inner: number; segments: number },
): Value {
  const blocks = rows / blockRows
  const params: KernelParams['segment-sum'] = { blocks, rows: blockRows, inner, segments }
  const sums = b.run('segment-sum', params, [x, labels], blocks * segments * inner)
  return groupSums(b, sums, blocks, segments * inner, 1)
}

/** Sums of blocks [s, blocks, inner] -> [s, groups, inner]. */
function groupSums(b: ProgramBuilder, sums: Value, blocks: number, inner: number, batch: number): Value {
  if (blocks === 1) return sums
  const size = Math.min(blocks, groupBlocks)
  return reduceStep(b, 'sum', sums, (batch * blocks) / size, size, inner)
}
