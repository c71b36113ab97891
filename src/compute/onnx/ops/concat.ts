/** Concat, opset 1 on -> one copy for each input; of known one-dimensional integers (shapes) a known one. */
import { copyParams } from '../../engine/copy-params.ts'
import { normalAxis, shapeText, stridesOf } from '../../tensor/shape.ts'
import { asTensor, inputAt, isConstant, type Lowering, opError } from '../lowering.ts'

export const concat: Lowering = context => {
  const { op, graph } = context
  const inputs = op.inputs.map((_, i) => inputAt(context, i))
  if (inputs.length === 0) throw opError(context, 'has no inputs; check the model file')
  const first = inputs[0].dims
  const axis = normalAxis(op.attributes.int('axis', 1), first.length, op.name)
  const fits = inputs.every(
    ({ dims }) => dims.length === first.length && dims.every((dim, i) => i === axis || dim === first[i]),
  )
  if (!fits)
    throw opError(
      context,
      `joins ${inputs.map(({ dims }) => shapeText(dims)).join(', ')} along axis ${axis}; check the model file`,
    )
  const dims = first.map((dim, i) => (i === axis ? inputs.reduce((sum, input) => sum + input.dims[axis], 0) : dim))
  const known = inputs.filter(isConstant)
  if (known.length === inputs.length && dims.length === 1 && known[0].dtype !== 'float32') {
    return [{ ...known[0], dims, data: Float64Array.from(known.flatMap(constant => [...constant.data])) }]
  }
  const target = graph.empty(dims, `the result of "${op.name}"`)
  const to = stridesOf(dims)
  let start = 0
  for (const input of inputs) {
    const place = { offset: start * to[axis], strides: to }
    const from = { offset: 0, strides: stridesOf(input.dims) }
    // An empty part writes nothing, and its offset may lie behind the end.
    if (!input.dims.includes(0))
      graph.fill(op.name, copyParams(input.dims, from, place), asTensor(context, input), target)
    start += input.dims[axis]
  }
  return [target]
}
