/** Concat, opset 1 on -> one copy for each input. */
import type { Tensor } from '../../engine/graph.ts'
import { normalAxis, shapeText, stridesOf } from '../../tensor/shape.ts'
import { inputAt, type LowerContext, type Lowering, mismatch, opError } from '../lowering.ts'
import { copyParts } from './emit.ts'

/** Tensors of one type, alike but along `axis`, one after the other. */
export function emitConcat(context: LowerContext, inputs: readonly Tensor[], axis: number): Tensor {
  const first = inputs[0].dims
  const dims = first.map((dim, i) => (i === axis ? inputs.reduce((sum, input) => sum + input.dims[axis], 0) : dim))
  const to = stridesOf(dims)
  let start = 0
  const parts = inputs.flatMap(input => {
    const place = { offset: start * to[axis], strides: to }
    start += input.dims[axis]
    // An empty part writes nothing, and its offset may lie behind the end.
    if (input.dims.includes(0)) return []
    return copyParts(input, input.dims, { offset: 0, strides: stridesOf(input.dims) }, place)
  })
  return context.graph.assemble(context.op.name, parts, dims, inputs[0].type)
}

export const concat: Lowering = context => {
  const { op } = context
  const inputs = op.inputs.map((_, i) => inputAt(context, i))
  if (inputs.length === 0) throw opError(context, 'has no inputs; check the model file')
  const first = inputs[0].dims
  const axis = normalAxis(op.attributes.int('axis', 1), first.length, op.name)
  const odd = inputs.find(
    ({ dims }) => dims.length !== first.length || dims.some((dim, i) => i !== axis && dim !== first[i]),
  )
  if (odd) throw mismatch(context, `shapes that join along axis ${axis}, as`, shapeText(first), shapeText(odd.dims))
  return [inputs.length === 1 ? inputs[0] : emitConcat(context, inputs, axis)]
}
