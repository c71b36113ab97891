/** Transpose, opset 1 on -> copy. */
import { copyParams } from '../../engine/copy-params.ts'
import type { Tensor } from '../../engine/graph.ts'
import { stridesOf } from '../../tensor/shape.ts'
import { type LowerContext, type Lowering, opError, tensorAt } from '../lowering.ts'

/** @param order output axis -> input axis */
export function emitTranspose(context: LowerContext, x: Tensor, order: readonly number[]): Tensor {
  const dims = order.map(axis => x.dims[axis])
  const from = stridesOf(x.dims)
  const moving = order.filter(axis => x.dims[axis] !== 1)
  // Only axes of size 1 change places: the data stays as it is.
  if (moving.every((axis, i) => i === 0 || moving[i - 1] < axis)) return { ...x, dims }
  const strides = order.map(axis => from[axis])
  const target = context.graph.empty(dims, `the result of "${context.op.name}"`)
  context.graph.fill(
    context.op.name,
    copyParams(dims, { offset: 0, strides }, { offset: 0, strides: stridesOf(dims) }),
    x,
    target,
  )
  return target
}

export const transpose: Lowering = context => {
  const x = tensorAt(context, 0)
  const order = context.op.attributes.ints('perm') ?? x.dims.map((_, axis) => x.dims.length - 1 - axis)
  if (order.length !== x.dims.length || x.dims.some((_, axis) => !order.includes(axis))) {
    throw opError(context, `has perm [${order.join(', ')}] for a tensor of rank ${x.dims.length}; check the model file`)
  }
  return [emitTranspose(context, x, order)]
}
