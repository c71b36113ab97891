/** Gemm (opset 7 on) and MatMul (opset 1 on) -> gemm; alpha, beta and transposes are resolved into constants where there are any. */

import type { Tensor } from '../../engine/graph.ts'
import { noActivation } from '../../kernels/activation.ts'
import { broadcastShape } from '../../tensor/broadcast.ts'
import { floatConstant } from '../../tensor/constant.ts'
import { elementsOf, sameShape, shapeText } from '../../tensor/shape.ts'
import {
  asTensor,
  inputAt,
  isConstant,
  type LowerContext,
  type Lowered,
  type Lowering,
  opError,
  tensorAt,
} from '../lowering.ts'
import { emitTranspose } from './transpose.ts'

function scaled(context: LowerContext, input: Lowered, factor: number): Tensor {
  if (factor === 1) return asTensor(context, input)
  if (isConstant(input)) {
    return context.graph.constant(
      floatConstant(
        input.dims,
        Float32Array.from(input.data, value => value * factor),
      ),
    )
  }
  const params = { outer: 1, channels: 1, inner: elementsOf(input.dims), ...noActivation }
  const [scale, shift] = [factor, 0].map(value => context.graph.constant(floatConstant([1], Float32Array.of(value))))
  return context.graph.emit('affine', context.op.name, params, [input, scale, shift], input.dims)
}

export const gemm: Lowering = context => {
  const { op, graph, opset } = context
  if (opset < 7 && op.attributes.has('broadcast'))
    throw opError(context, 'is too old; convert the model to opset 7 or newer')
  let a = tensorAt(context, 0)
  const b = scaled(context, inputAt(context, 1), op.attributes.float('alpha', 1))
  if (a.dims.length !== 2 || b.dims.length !== 2) throw opError(context, 'takes matrices only; check the model file')
  if (op.attributes.int('transA', 0) !== 0) a = emitTranspose(context, a, [1, 0])
  const transposeB = op.attributes.int('transB', 0) !== 0 ? 1 : 0
  const [m, k] = a.dims
  const [rows, n] = transposeB ? [b.dims[1], b.dims[0]] : b.dims
  if (rows !== k)
    throw opError(context, `multiplies ${shapeText(a.dims)} by ${shapeText(b.dims)}; check the model file`)
  const c = context.inputs[2] && scaled(context, context.inputs[2], op.attributes.float('beta', 1))
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
    throw opError(context, `adds ${shapeText(tensor.dims)} to ${shapeText([m, n])}; check the model file`)
  }
  const [rows, columns] = [1, 1, ...tensor.dims].slice(-2)
  return { tensor, strideM: rows === 1 ? 0 : columns, strideN: columns === 1 ? 0 : 1 }
}

export const matMul: Lowering = context => {
  const { op, graph } = context
  const a = tensorAt(context, 0)
  const b = tensorAt(context, 1)
  if (a.dims.length === 0 || b.dims.length === 0) throw opError(context, 'multiplies a scalar; check the model file')
  // A vector is a row on the left and a column on the right; its axis is dropped from the result.
  const left = a.dims.length === 1 ? [1, ...a.dims] : a.dims
  const right = b.dims.length === 1 ? [...b.dims, 1] : b.dims
  const [m, k] = left.slice(-2)
  const [rows, n] = right.slice(-2)
  const outerA = left.slice(0, -2)
  const outerB = right.slice(0, -2)
  const outer = broadcastShape([outerA, outerB], op.name)
  const fits = sameShape(outerA, outer) && (elementsOf(outerB) === 1 || sameShape(outerB, outer))
  if (rows !== k || !fits) {
    throw opError(
      context,
      `multiplies ${shapeText(a.dims)} by ${shapeText(b.dims)}, which is not supported; check the model file`,
    )
  }
  // One matrix for all: the batch is only more rows.
  const shared = elementsOf(outerB) === 1
  const sizes = shared ? { batch: 1, m: elementsOf(outer) * m } : { batch: elementsOf(outer), m }
  const params = {
    ...{ ...sizes, n, k, transposeB: 0, sharedB: shared ? 1 : 0 },
    ...{ hasBias: 0, biasStrideM: 0, biasStrideN: 0, ...noActivation },
  }
  const dims = [...outer, ...(a.dims.length === 1 ? [] : [m]), ...(b.dims.length === 1 ? [] : [n])]
  return [graph.emit('gemm', op.name, params, [a, b, null], dims)]
}
