/** Operators of one element: Relu, Exp, Sigmoid, Clip and their like -> unary. */
import { type UnaryOp, unaryOps } from '../../kernels/unary.ts'
import { elementsOf } from '../../tensor/shape.ts'
import { knownValues, type LowerContext, type Lowering, tensorAt } from '../lowering.ts'

function emit(context: LowerContext, op: UnaryOp, alpha: number, beta: number) {
  const x = tensorAt(context, 0)
  const params = { count: elementsOf(x.dims), op: unaryOps[op], alpha, beta }
  return [context.graph.emit('unary', context.op.name, params, [x], x.dims)]
}

/** An operator without constants. */
export function plain(op: UnaryOp): Lowering {
  return context => emit(context, op, 0, 0)
}

/** An operator with the attributes alpha and beta and the specification's defaults. */
export function withConstants(op: UnaryOp, alpha: number, beta: number): Lowering {
  return context => {
    const { attributes } = context.op
    return emit(context, op, attributes.float('alpha', alpha), attributes.float('beta', beta))
  }
}

/** Bounds are attributes before opset 11 and inputs since; absent ones do not bound. */
export const clip: Lowering = context => {
  const { attributes } = context.op
  const [low, high] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
  if (context.opset < 11) return emit(context, 'clip', attributes.float('min', low), attributes.float('max', high))
  const [min = low] = knownValues(context, 1, 'bounds') ?? []
  const [max = high] = knownValues(context, 2, 'bounds') ?? []
  return emit(context, 'clip', min, max)
}
