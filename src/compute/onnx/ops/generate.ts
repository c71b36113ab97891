/**
 * Operators that make tensors of nothing but a shape or a few numbers: Constant, ConstantOfShape, Range, EyeLike, OneHot, and
 * Trilu's mask.
 */
import type { Tensor } from '../../engine/graph.ts'
import { type ElementType, isElementType, makeHostArray } from '../../tensor/element-type.ts'
import { checkShape, elementsOf, normalAxis, type Shape, shapeText } from '../../tensor/shape.ts'
import {
  claimTable,
  floats,
  inputAt,
  inputOfRank,
  integers,
  knownScalar,
  knownValues,
  type LowerContext,
  type Lowering,
  mismatch,
  opError,
  unsupported,
} from '../lowering.ts'
import { elementTypeName } from '../tensor-proto.ts'
import { emitBinary, emitExpand, emitWhere, emitWith, padRank } from './emit.ts'
import { unsqueezed } from './shapes.ts'

export const constant: Lowering = context => {
  const { attributes } = context.op
  const tensor = attributes.tensor('value')
  if (tensor) return [context.graph.constant(tensor)]
  const ints = attributes.ints('value_ints')
  const list = attributes.floats('value_floats')
  if (attributes.has('value_float')) return [floats(context, [attributes.float('value_float', 0)], [])]
  if (attributes.has('value_int')) return [integers(context, [attributes.int('value_int', 0)], [])]
  if (attributes.has('value_floats') && list) return [floats(context, list)]
  if (attributes.has('value_ints') && ints) return [integers(context, ints)]
  throw unsupported(context, 'holds no numbers')
}

/** A tensor of one value. */
export function filled(context: LowerContext, dims: Shape, type: ElementType, value: number): Tensor {
  checkShape(dims, `the result of "${context.op.name}"`)
  const one = makeHostArray(type, 1).fill(value)
  return emitExpand(context, context.graph.constant({ dims: [], type, data: one }), dims)
}

export const constantOfShape: Lowering = context => {
  const dims = knownValues(context, 0, 'shape') ?? []
  const value = context.op.attributes.tensor('value')
  return [filled(context, dims, value?.type ?? 'float32', value?.data[0] ?? 0)]
}

export const range: Lowering = context => {
  const [start, limit, delta] = ['start', 'limit', 'delta'].map((name, i) => knownScalar(context, i, name) ?? 0)
  if (delta === 0 || !Number.isFinite(start + limit + delta)) {
    throw opError(context, `counts from ${start} to ${limit} by ${delta}; check the model file`)
  }
  const { type } = inputAt(context, 0)
  const count = Math.max(0, Math.ceil((limit - start) / delta))
  claimTable(context, count)
  const data = makeHostArray(type, count)
  for (let i = 0; i < count; i++) data[i] = start + i * delta
  return [context.graph.constant({ dims: [count], type, data })]
}

/** The attribute `dtype`, or what stands for it. */
function dtypeAttribute(context: LowerContext, fallback: ElementType): ElementType {
  if (!context.op.attributes.has('dtype')) return fallback
  const name = elementTypeName(context.op.attributes.int('dtype', 0))
  if (!isElementType(name)) throw unsupported(context, `makes ${name}`)
  return name
}

export const eyeLike: Lowering = context => {
  const { dims, type } = inputOfRank(context, 0, 2, 2)
  const k = context.op.attributes.int('k', 0)
  const made = dtypeAttribute(context, type)
  claimTable(context, elementsOf(dims))
  const data = makeHostArray(made, elementsOf(dims))
  for (let row = Math.max(0, -k); row < dims[0] && row + k < dims[1]; row++) data[row * dims[1] + row + k] = 1
  return [context.graph.constant({ dims, type: made, data })]
}

/** 1 where the upper (or lower) triangle with diagonal k is, as bool. */
function triangle(context: LowerContext, rows: number, columns: number, upper: boolean, k: number): Tensor {
  claimTable(context, rows * columns)
  const data = new Float64Array(rows * columns)
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) data[i * columns + j] = Number(upper ? j - i >= k : j - i <= k)
  return context.graph.constant({ dims: [rows, columns], type: 'bool', data })
}

export const trilu: Lowering = context => {
  const x = inputOfRank(context, 0, 2)
  const upper = context.op.attributes.int('upper', 1) !== 0
  const k = knownScalar(context, 1, 'diagonal') ?? 0
  const [rows, columns] = x.dims.slice(-2)
  const mask = triangle(context, rows, columns, upper, k)
  return [{ ...emitWhere(context, mask, x, filled(context, [], x.type, 0)), dims: x.dims }]
}

/** Negative indices count from the end; those outside give a row of off values. */
export const oneHot: Lowering = context => {
  const indices = inputAt(context, 0)
  const depth = knownScalar(context, 1, 'depth') ?? 0
  const values = inputAt(context, 2)
  if (values.dims.join() !== '2') throw mismatch(context, 'values of shape', '[2]', shapeText(values.dims))
  const count = Math.trunc(depth)
  if (!(count >= 0)) throw opError(context, `has the depth ${depth}; check the model file`)
  const rank = indices.dims.length + 1
  const axis = normalAxis(context.op.attributes.int('axis', -1), rank, context.op.name)
  claimTable(context, 2 * count)
  const places = Array.from({ length: count }, (_, i) => i)
  const along = (list: readonly number[]) =>
    floats(
      context,
      list,
      Array.from({ length: rank }, (_, i) => (i === axis ? count : 1)),
    )
  const given = unsqueezed(context, indices, [axis])
  const hit = emitBinary(context, 'equal', given, along(places), 'bool')
  const fromEnd = emitBinary(context, 'equal', given, along(places.map(place => place - count)), 'bool')
  const hot = emitBinary(context, 'or', hit, fromEnd, 'bool')
  return [emitWhere(context, hot, element(context, values, 1), element(context, values, 0))]
}

/** One element of a vector, as a scalar. */
function element(context: LowerContext, x: Tensor, index: number): Tensor {
  const params = { outer: 1, axis: x.dims[0], inner: 1, count: 1 }
  return context.graph.emit('gather', context.op.name, params, [x, integers(context, [index])], [])
}

/** 1 at the first largest element of each line, else 0. Before opset 13 a line is everything from the axis on. */
export const hardmax: Lowering = context => {
  const x = inputAt(context, 0)
  const flat = context.opset < 13
  const axis = normalAxis(context.op.attributes.int('axis', flat ? 1 : -1), x.dims.length, context.op.name)
  const outer = elementsOf(x.dims.slice(0, axis))
  const size = flat ? elementsOf(x.dims.slice(axis)) : x.dims[axis]
  const inner = flat ? 1 : elementsOf(x.dims.slice(axis + 1))
  const top = context.graph.emit(
    'top-k',
    context.op.name,
    { outer, axis: size, inner, k: 1, largest: 1, part: 1 },
    [x],
    [outer, 1, inner],
    'int64',
  )
  claimTable(context, size)
  const places = floats(
    context,
    Array.from({ length: size }, (_, i) => i),
    [size, 1],
  )
  const hit = emitBinary(context, 'equal', top, padRank(context, places, 3), x.type)
  return [{ ...emitWith(context, 'add', hit, 0), dims: x.dims }]
}
