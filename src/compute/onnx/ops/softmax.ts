/** Softmax and LogSoftmax -> softmax. Before opset 13 everything from `axis` (default 1) on is one line, since 13 one axis (default -1). */
import { elementsOf, normalAxis } from '../../tensor/shape.ts'
import { inputAt, type LowerContext, type Lowering } from '../lowering.ts'

function lower(context: LowerContext, log: number) {
  const { op, opset, graph } = context
  const x = inputAt(context, 0)
  const rank = x.dims.length
  const lines = opset < 13
  const given = op.attributes.int('axis', lines ? 1 : -1)
  // In the old form the axis may be the rank itself: lines of one element.
  const axis = lines && given === rank ? rank : normalAxis(given, rank, op.name)
  const outer = elementsOf(x.dims.slice(0, axis))
  const size = lines ? elementsOf(x.dims.slice(axis)) : x.dims[axis]
  const inner = lines ? 1 : elementsOf(x.dims.slice(axis + 1))
  return graph.emit('softmax', op.name, { outer, axis: size, inner, log }, [x], x.dims)
}

export const softmax: Lowering = context => [lower(context, 0)]
export const logSoftmax: Lowering = context => [lower(context, 1)]
