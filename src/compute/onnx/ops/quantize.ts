/** QuantizeLinear (opset 10 to 21) and DequantizeLinear (10 to 21), by tensor, by axis and by block, as chains of element operators. */
import type { Tensor } from '../../engine/graph.ts'
import { type ElementType, integerRange, isElementType } from '../../tensor/element-type.ts'
import { normalAxis, shapeText } from '../../tensor/shape.ts'
import { inputAt, type LowerContext, type Lowering, mismatch, reshaped, unsupported } from '../lowering.ts'
import { elementTypeName } from '../tensor-proto.ts'
import { emitBinary, emitExpand, emitUnary } from './emit.ts'
import { emitPart } from './slice.ts'

/** A scale or zero point as something that broadcasts to x. */
function spread(context: LowerContext, x: Tensor, given: Tensor): Tensor {
  const { attributes, name } = context.op
  if (given.dims.length === 0 || (given.dims.length === 1 && given.dims[0] === 1)) return reshaped(context, given, [])
  const axis = normalAxis(attributes.int('axis', 1), x.dims.length, name)
  const block = attributes.int('block_size', 0)
  if (block > 0) {
    const blocks = Math.ceil(x.dims[axis] / block)
    const wanted = x.dims.map((dim, i) => (i === axis ? blocks : dim))
    if (shapeText(given.dims) !== shapeText(wanted)) {
      throw mismatch(context, 'scales of shape', shapeText(wanted), shapeText(given.dims))
    }
    const split = [...wanted.slice(0, axis + 1), 1, ...wanted.slice(axis + 1)]
    const repeated = emitExpand(
      context,
      reshaped(context, given, split),
      split.map((dim, i) => (i === axis + 1 ? block : dim)),
    )
    const whole = reshaped(
      context,
      repeated,
      wanted.map((dim, i) => (i === axis ? dim * block : dim)),
    )
    return emitPart(context, whole, axis, 0, x.dims[axis])
  }
  if (given.dims.length !== 1 || given.dims[0] !== x.dims[axis]) {
    throw mismatch(context, `scales for axis ${axis} of`, shapeText(x.dims), shapeText(given.dims))
  }
  return reshaped(
    context,
    given,
    x.dims.map((dim, i) => (i === axis ? dim : 1)),
  )
}

function typeOf(context: LowerContext, zeroPoint: Tensor | undefined): ElementType {
  if (zeroPoint) return zeroPoint.type
  const given = context.op.attributes.int('output_dtype', 0)
  const name = given === 0 ? 'uint8' : elementTypeName(given)
  if (!isElementType(name)) throw unsupported(context, `quantizes to ${name}`)
  return name
}

export const quantizeLinear: Lowering = context => {
  const [x, scale] = [inputAt(context, 0), inputAt(context, 1)]
  const zeroPoint = context.inputs[2]
  const type = typeOf(context, zeroPoint)
  const range = integerRange(type)
  if (!range || range[1] > 65_535) throw unsupported(context, `quantizes to ${type}`)
  // A true quotient: a product with the reciprocal would round halves otherwise.
  const rounded = emitUnary(context, emitBinary(context, 'div', x, spread(context, x, scale)), 'round')
  const shifted = zeroPoint ? emitBinary(context, 'add', rounded, spread(context, x, zeroPoint)) : rounded
  return [emitUnary(context, shifted, 'clip', range[0], range[1], type)]
}

export const dequantizeLinear: Lowering = context => {
  const [x, scale] = [inputAt(context, 0), inputAt(context, 1)]
  const zeroPoint = context.inputs[2]
  const centred = zeroPoint ? emitBinary(context, 'sub', x, spread(context, x, zeroPoint)) : x
  return [emitBinary(context, 'mul', centred, spread(context, x, scale), scale.type)]
}
