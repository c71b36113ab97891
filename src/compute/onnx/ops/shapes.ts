/**
 * Operators that move no data: Reshape, Flatten, Squeeze, Unsqueeze, Identity, Dropout, and those that compute with shapes
 * while the network is prepared: Constant, Shape, Gather of known integers, Cast of known values.
 */
import { type Constant, floatConstant, intConstant } from '../../tensor/constant.ts'
import { elementsOf, normalAxis, shapeText } from '../../tensor/shape.ts'
import { inputAt, isConstant, knownValues, type LowerContext, type Lowering, opError, reshaped } from '../lowering.ts'
import { elementTypeName, isConstantType } from '../tensor-proto.ts'

export const identity: Lowering = context => [inputAt(context, 0)]

/** In inference: what comes in. Its mask is not computed. */
export const dropout: Lowering = context => {
  const [training = 0] = context.opset < 12 ? [] : (knownValues(context, 2, 'training_mode') ?? [])
  if (training !== 0) throw opError(context, 'is in training mode; export the model for inference')
  return [inputAt(context, 0)]
}

/** The target is an attribute before opset 5. 0 keeps a dim (unless allowzero), -1 is what remains. */
export const reshape: Lowering = context => {
  const { op, opset } = context
  const input = inputAt(context, 0)
  const target = opset < 5 ? op.attributes.ints('shape') : knownValues(context, 1, 'shape')
  if (!target) throw opError(context, 'does not say its shape; check the model file')
  const keepsZero = op.attributes.int('allowzero', 0) !== 0
  const dims = target.map((dim, axis) => (dim === 0 && !keepsZero ? (input.dims[axis] ?? -2) : dim))
  const elements = elementsOf(input.dims)
  const free = dims.indexOf(-1)
  if (free >= 0) {
    const rest = elementsOf(dims.filter((_, axis) => axis !== free))
    dims[free] = rest === 0 ? 0 : elements / rest
  }
  if (!dims.every(dim => Number.isInteger(dim) && dim >= 0) || elementsOf(dims) !== elements) {
    throw opError(
      context,
      `cannot bring ${shapeText(input.dims)} into ${shapeText(target)}; a model with a fixed batch takes only that batch`,
    )
  }
  return [reshaped(input, dims)]
}

export const flatten: Lowering = context => {
  const input = inputAt(context, 0)
  const rank = input.dims.length
  const given = context.op.attributes.int('axis', 1)
  const axis = given === rank ? rank : normalAxis(given, rank, context.op.name)
  return [reshaped(input, [elementsOf(input.dims.slice(0, axis)), elementsOf(input.dims.slice(axis))])]
}

function axesOf(context: LowerContext): readonly number[] | undefined {
  return context.opset < 13 ? context.op.attributes.ints('axes') : knownValues(context, 1, 'axes')
}

export const unsqueeze: Lowering = context => {
  const input = inputAt(context, 0)
  const axes = axesOf(context)
  if (!axes) throw opError(context, 'does not say its axes; check the model file')
  const rank = input.dims.length + axes.length
  const added = new Set(axes.map(axis => normalAxis(axis, rank, context.op.name)))
  if (added.size !== axes.length) throw opError(context, 'names an axis twice; check the model file')
  const rest = [...input.dims]
  return [
    reshaped(
      input,
      Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (rest.shift() ?? 1))),
    ),
  ]
}

export const squeeze: Lowering = context => {
  const input = inputAt(context, 0)
  const rank = input.dims.length
  const axes = axesOf(context)?.map(axis => normalAxis(axis, rank, context.op.name))
  if (axes?.some(axis => input.dims[axis] !== 1)) {
    throw opError(context, `squeezes axes [${axes.join(', ')}] of ${shapeText(input.dims)}; check the model file`)
  }
  return [
    reshaped(
      input,
      input.dims.filter((dim, axis) => (axes ? !axes.includes(axis) : dim !== 1)),
    ),
  ]
}

export const constant: Lowering = context => {
  const { attributes } = context.op
  const tensor = attributes.tensor('value')
  if (tensor) return [tensor]
  const ints = attributes.ints('value_ints')
  const floats = attributes.floats('value_floats')
  if (attributes.has('value_float')) return [floatConstant([], Float32Array.of(attributes.float('value_float', 0)))]
  if (attributes.has('value_int')) return [{ ...intConstant([attributes.int('value_int', 0)]), dims: [] }]
  if (attributes.has('value_floats') && floats) return [floatConstant([floats.length], Float32Array.from(floats))]
  if (attributes.has('value_ints') && ints) return [intConstant(ints)]
  throw opError(context, 'holds no numbers, which is not supported; check the model file')
}

export const shape: Lowering = context => {
  const { attributes } = context.op
  const { dims } = inputAt(context, 0)
  const end = attributes.has('end') ? attributes.int('end', 0) : dims.length
  return [intConstant(dims.slice(attributes.int('start', 0), end))]
}

/** Only what shapes need: known integers, one axis. */
export const gather: Lowering = context => {
  const data = inputAt(context, 0)
  const indices = inputAt(context, 1)
  if (!isConstant(data) || !isConstant(indices) || data.dims.length !== 1 || indices.dims.length > 1) {
    throw opError(
      context,
      'gathers from a tensor of the running network, which is not supported yet; export the model without it',
    )
  }
  const picked = Array.from(indices.data, index => data.data[normalAxis(index, data.data.length, context.op.name)])
  const values = data.dtype === 'float32' ? Float32Array.from(picked) : Float64Array.from(picked)
  return [{ ...data, dims: indices.dims, data: values }]
}

const integerTypes = new Set(['int64', 'int32', 'int8', 'uint8'])

export const cast: Lowering = context => {
  const input = inputAt(context, 0)
  const to = elementTypeName(context.op.attributes.int('to', 0))
  if (!isConstant(input)) {
    if (to === 'float32') return [input]
    throw opError(context, `casts to ${to} while it runs, which is not supported; export the model in float32`)
  }
  if (!isConstantType(to)) throw opError(context, `casts to ${to}, which is not supported; export the model in float32`)
  return [castConstant(input, to)]
}

function castConstant(input: Constant, dtype: Constant['dtype']): Constant {
  if (dtype === 'float32') return { dims: input.dims, dtype, data: Float32Array.from(input.data) }
  const convert = (value: number) =>
    dtype === 'bool' ? Number(value !== 0) : integerTypes.has(dtype) ? Math.trunc(value) : value
  return { dims: input.dims, dtype, data: Float64Array.from(input.data, convert) }
}
