/** Gemm (opset 7 on) -> gemm; MatMul (1 on) -> gemm by a constant matrix, else matmul. */
import type { Tensor } from '../../engine/graph.ts'
import { noActivation } from '../../kernels/activation.ts'
import { broadcastShape, broadcastStrides } from '../../tensor/broadcast.ts'
import { isInteger } from '../../tensor/element-type.ts'
import { elementsOf, sameShape, shapeText } from '../../tensor/shape.ts'
import { joinAxes } from '../../tensor/strides.ts'
import { floats, inputAt, inputOfRank, type LowerContext, type Lowering, mismatch, opError } from '../lowering.ts'
import { combine } from './binary.ts'
import { emitExpand, emitTranspose, emitUnary } from './emit.ts'

function scaled(context: LowerContext, input: Tensor, factor: number): Tensor {
  if (factor === 1) return input
  const product = combine(context, 'mul', input, floats(context, [factor], []))
  return isInteger(input.type) ? emitUnary(context, product, 'truncate') : product
}

export const gemm: Lowering = context => {
  const { op, graph, opset } = context
  if (opset < 7 && op.attributes.has('broadcast'))
    throw opError(context, 'is too old; convert the model to opset 7 or newer')
  let a = inputOfRank(context, 0, 2, 2)
  const b = scaled(context, inputOfRank(context, 1, 2, 2), op.attributes.float('alpha', 1))
  if (op.attributes.int('transA', 0) !== 0) a = emitTranspose(context, a, [1, 0])
  const transposeB = op.attributes.int('transB', 0) !== 0 ? 1 : 0
  const [m, k] = a.dims
  const [rows, n] = transposeB ? [b.dims[1], b.dims[0]] : b.dims
  if (rows !== k) throw mismatch(context, 'matrices that share', `K = ${k}`, `${rows}`)
  const beta = op.attributes.float('beta', 1)
  const c = context.inputs[2] && beta !== 0 ? scaled(context, context.inputs[2], beta) : undefined
  const bias = c && biasOf(context, c, m, n)
  const params = {
    ...{ batch: 1, m, n, k, transposeB, sharedB: 1, hasBias: bias ? 1 : 0 },
    ...{ biasStrideM: bias?.strideM ?? 0, biasStrideN: bias?.strideN ?? 0, ...noActivation },
  }
  return [graph.emit('gemm', op.name, params, [a, b, bias?.tensor ?? null], [m, n])]
}

/** How a bias that broadcasts to [m, n] is walked. */
function biasOf(context: LowerContext, tensor: Tensor, m: number, n: number) {
  if (!sameShape(broadcastShape([tensor.dims, [m, n]], context.op.name), [m, n])) {
    throw mismatch(context, 'a C that broadcasts to', shapeText([m, n]), shapeText(tensor.dims))
  }
  const [rows, columns] = [1, 1, ...tensor.dims].slice(-2)
  return { tensor, strideM: rows === 1 ? 0 : columns, strideN: columns === 1 ? 0 : 1 }
}

export const matMul: Lowering = context => [emitMatMul(context, inputAt(context, 0), inputAt(context, 1))]

/** NumPy's matmul: matrices in the last two axes, the others broadcast; a vector is a row or a column that is dropped. */
export function emitMatMul(context: LowerContext, a: Tensor, b: Tensor): Tensor {
  if (a.dims.length === 0 || b.dims.length === 0) throw opError(context, 'multiplies a scalar; check the model file')
  const left = a.dims.length === 1 ? [1, ...a.dims] : a.dims
  const right = b.dims.length === 1 ? [...b.dims, 1] : b.dims
  const [m, k] = left.slice(-2)
  const [rows, n] = right.slice(-2)
  if (rows !== k) throw mismatch(context, `a second matrix of ${k} rows for`, shapeText(a.dims), shapeText(b.dims))
  const [outerA, outerB] = [left.slice(0, -2), right.slice(0, -2)]
  const outer = broadcastShape([outerA, outerB], context.op.name)
  const dims = [...outer, ...(a.dims.length === 1 ? [] : [m]), ...(b.dims.length === 1 ? [] : [n])]
  if (elementsOf(dims) > 0 && k === 0) return emitExpand(context, floats(context, [0], []), dims)
  if (context.graph.known(b) && elementsOf(outerB) === 1) {
    // One matrix for all: the batch is only more rows.
    const params = {
      ...{ batch: 1, m: elementsOf(outer) * m, n, k, transposeB: 0, sharedB: 1 },
      ...{ hasBias: 0, biasStrideM: 0, biasStrideN: 0, ...noActivation },
    }
    const all = sameShape(outerA, outer) ? a : emitExpand(context, { ...a, dims: left }, [...outer, m, k])
    return context.graph.emit('gemm', context.op.name, params, [all, b, null], dims)
  }
  return strided(context, { ...a, dims: left }, { ...b, dims: right }, outer, dims)
}

function strided(
  context: LowerContext,
  a: Tensor,
  b: Tensor,
  outer: readonly number[],
  dims: readonly number[],
): Tensor {
  const [m, k] = a.dims.slice(-2)
  const n = b.dims[b.dims.length - 1]
  // Strides of whole matrices, then of elements.
  const steps = (tensor: Tensor, size: number) => broadcastStrides(tensor.dims.slice(0, -2), outer).map(s => s * size)
  let [x, y] = [a, b]
  let walk = joinAxes(outer, [steps(x, m * k), steps(y, k * n)])
  if (walk.dims.length > 2) {
    x = emitExpand(context, a, [...outer, m, k])
    y = emitExpand(context, b, [...outer, k, n])
    walk = joinAxes(outer, [steps(x, m * k), steps(y, k * n)])
  }
  const missing = new Array<number>(2 - walk.dims.length)
  const [batch0, batch1] = [...missing.fill(1), ...walk.dims]
  const zeros = missing.map(() => 0)
  const [[strideA0, strideA1], [strideB0, strideB1]] = walk.strides.map(list => [...zeros, ...list])
  const params = {
    ...{ batch0, batch1, m, n, k, strideA0, strideA1, strideAM: k, strideAK: 1 },
    ...{ strideB0, strideB1, strideBK: n, strideBN: 1 },
  }
  return context.graph.emit('matmul', context.op.name, params, [x, y], dims)
}
