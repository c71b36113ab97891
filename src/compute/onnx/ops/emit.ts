/**
 * Kernel calls that several operators are made of: functions of one and two elements with broadcasting, strided copies,
 * transposes, reductions, changes of type.
 */
import { copyParams, type Place } from '../../engine/copy-params.ts'
import type { Part, Tensor } from '../../engine/graph.ts'
import { noActivation } from '../../kernels/activation.ts'
import { type BinaryOp, binaryOps } from '../../kernels/binary.ts'
import { type ReduceOp, reduceOps } from '../../kernels/reduce.ts'
import { type UnaryOp, unaryOps } from '../../kernels/unary.ts'
import { broadcastShape, broadcastStrides } from '../../tensor/broadcast.ts'
import { type ElementType, integerRange, isFloat, isInteger, makeHostArray } from '../../tensor/element-type.ts'
import { elementsOf, normalAxis, type Shape, stridesOf } from '../../tensor/shape.ts'
import { collapse, joinAxes, walkRank } from '../../tensor/strides.ts'
import { floats, type LowerContext, reshaped } from '../lowering.ts'
import { modelError } from '../model.ts'

export function emitUnary(context: LowerContext, x: Tensor, op: UnaryOp, alpha = 0, beta = 0, type = x.type): Tensor {
  const params = { count: elementsOf(x.dims), op: unaryOps[op], alpha, beta }
  return context.graph.emit('unary', context.op.name, params, [x], x.dims, type)
}

/** The sizes of a walk of `walkRank` axes as a kernel's params, and each operand's strides. */
const dimsOf = ([dim0, dim1, dim2, dim3, dim4, dim5]: readonly number[]) => ({ dim0, dim1, dim2, dim3, dim4, dim5 })

const stridesA = ([s0, s1, s2, s3, s4, s5]: readonly number[]) => ({
  ...{ strideA0: s0, strideA1: s1, strideA2: s2, strideA3: s3, strideA4: s4, strideA5: s5 },
})

const stridesB = ([s0, s1, s2, s3, s4, s5]: readonly number[]) => ({
  ...{ strideB0: s0, strideB1: s1, strideB2: s2, strideB3: s3, strideB4: s4, strideB5: s5 },
})

const stridesC = ([s0, s1, s2, s3, s4, s5]: readonly number[]) => ({
  ...{ strideC0: s0, strideC1: s1, strideC2: s2, strideC3: s3, strideC4: s4, strideC5: s5 },
})

/** Operands that, joined, walk more axes than kernels take are laid out whole first. */
function walkable(context: LowerContext, operands: readonly Tensor[], dims: Shape) {
  const strides = operands.map(operand => broadcastStrides(operand.dims, dims))
  if (joinAxes(dims, strides).dims.length <= walkRank) return { operands, walk: collapse(dims, strides) }
  const whole = operands.map(operand => emitExpand(context, operand, dims))
  return {
    operands: whole,
    walk: collapse(
      dims,
      whole.map(() => stridesOf(dims)),
    ),
  }
}

/** f(a, b) with broadcasting, in float32 as it stands. */
export function emitBinary(context: LowerContext, op: BinaryOp, x: Tensor, y: Tensor, type = x.type): Tensor {
  const dims = broadcastShape([x.dims, y.dims], context.op.name)
  const { operands, walk } = walkable(context, [x, y], dims)
  const params = {
    op: binaryOps[op],
    ...dimsOf(walk.dims),
    ...stridesA(walk.strides[0]),
    ...stridesB(walk.strides[1]),
    ...noActivation,
  }
  return context.graph.emit('binary', context.op.name, params, operands, dims, type)
}

/** f(x, constant). */
export function emitWith(context: LowerContext, op: BinaryOp, x: Tensor, constant: number, type = x.type): Tensor {
  return emitBinary(context, op, x, floats(context, [constant], []), type)
}

export function emitWhere(context: LowerContext, condition: Tensor, a: Tensor, b: Tensor): Tensor {
  const dims = broadcastShape([condition.dims, a.dims, b.dims], context.op.name)
  const { operands, walk } = walkable(context, [condition, a, b], dims)
  const [c, x, y] = walk.strides
  const params = { ...dimsOf(walk.dims), ...stridesC(c), ...stridesA(x), ...stridesB(y) }
  return context.graph.emit('where', context.op.name, params, operands, dims, a.type)
}

/** Calls for one axis that a kernel cannot walk: few, as such ranks are rare and their dims small. */
const partsMax = 256

/** A copy of `dims` elements between two places, as one or, where too many axes are apart, as several calls. */
export function copyParts(from: Tensor, dims: Shape, read: Place, write: Place): Part[] {
  const joined = joinAxes(dims, [read.strides, write.strides])
  const [reads, writes] = joined.strides
  if (joined.dims.length <= walkRank) {
    const place = (offset: number, strides: readonly number[]) => ({ offset, strides })
    return [{ from, params: copyParams(joined.dims, place(read.offset, reads), place(write.offset, writes)) }]
  }
  const [count, ...rest] = joined.dims
  if (count > partsMax)
    throw modelError('MODEL_RANK', `a copy walks ${joined.dims.length} axes apart; simplify the model`)
  const at = (place: Place, strides: readonly number[], i: number) => ({
    offset: place.offset + i * strides[0],
    strides: strides.slice(1),
  })
  return Array.from({ length: count }, (_, i) => copyParts(from, rest, at(read, reads, i), at(write, writes, i))).flat()
}

/** `dims` elements of x, read with an offset and strides, as a dense tensor; a view where they lie so already. */
export function emitView(context: LowerContext, x: Tensor, dims: Shape, read: Place): Tensor {
  const dense = stridesOf(dims)
  const natural = read.offset === 0 && dims.every((dim, axis) => dim === 1 || read.strides[axis] === dense[axis])
  if (natural && elementsOf(dims) === elementsOf(x.dims)) return { ...x, dims }
  const parts = dims.includes(0) ? [] : copyParts(x, dims, read, { offset: 0, strides: dense })
  return context.graph.assemble(context.op.name, parts, dims, x.type)
}

/** @param order output axis -> input axis */
export function emitTranspose(context: LowerContext, x: Tensor, order: readonly number[]): Tensor {
  const from = stridesOf(x.dims)
  return emitView(
    context,
    x,
    order.map(axis => x.dims[axis]),
    { offset: 0, strides: order.map(axis => from[axis]) },
  )
}

/** x repeated to `dims`, to which it broadcasts. */
export function emitExpand(context: LowerContext, x: Tensor, dims: Shape): Tensor {
  return emitView(context, x, dims, { offset: 0, strides: broadcastStrides(x.dims, dims) })
}

/** x seen as [outer, axis, inner] around one axis. */
export function linesOf(dims: Shape, axis: number): { outer: number; axis: number; inner: number } {
  return { outer: elementsOf(dims.slice(0, axis)), axis: dims[axis], inner: elementsOf(dims.slice(axis + 1)) }
}

/** One number for each line along all of `axes` together (none: the elements themselves become lines of one). */
export function emitReduce(
  context: LowerContext,
  x: Tensor,
  op: ReduceOp,
  axes: readonly number[],
  keepDims: boolean,
  selectLast = 0,
): Tensor {
  const rank = x.dims.length
  const reduced = new Set(axes.map(axis => normalAxis(axis, rank, context.op.name)))
  const all = x.dims.map((_, axis) => axis)
  const dims = all.flatMap(axis => (!reduced.has(axis) ? [x.dims[axis]] : keepDims ? [1] : []))
  const order = [...reduced].sort((a, b) => a - b)
  const first = order[0] ?? 0
  const joined = order.every((axis, i) => axis === first + i)
  // Axes that are apart go to the end, where they are one.
  const lines = joined ? x : emitTranspose(context, x, [...all.filter(axis => !reduced.has(axis)), ...order])
  const at = joined ? first : rank - order.length
  const params = {
    outer: elementsOf(lines.dims.slice(0, at)),
    axis: elementsOf(lines.dims.slice(at, at + order.length)),
    inner: elementsOf(lines.dims.slice(at + order.length)),
    op: reduceOps[op],
    selectLast,
  }
  const type = op === 'argMax' || op === 'argMin' ? 'int64' : x.type
  return context.graph.emit('reduce', context.op.name, params, [lines], dims, type)
}

/** Brings what arithmetic on narrow integers gave back into their range, modulo 2^bits; wide ones do not get there. */
export function wrapIntegers(context: LowerContext, x: Tensor): Tensor {
  const range = integerRange(x.type)
  if (!range || range[1] > 65_535) return x
  const [least, most] = range
  const wrapped = emitWith(context, 'mod', least === 0 ? x : emitWith(context, 'sub', x, least), most - least + 1)
  return least === 0 ? wrapped : emitWith(context, 'add', wrapped, least)
}

/** x as another type: floats are cut towards zero, narrow integers wrap, bool is whether it is not 0. */
export function emitCast(context: LowerContext, x: Tensor, type: ElementType): Tensor {
  if (x.type === type) return x
  const known = context.graph.known(x)
  if (known) {
    const data = makeHostArray(type, known.length)
    for (let i = 0; i < known.length; i++) data[i] = castValue(known[i], type)
    return context.graph.constant({ dims: x.dims, type, data })
  }
  if (type === 'bool') return emitUnary(context, x, 'notZero', 0, 0, 'bool')
  if (!isInteger(type)) return { ...x, type }
  const whole = isFloat(x.type) ? emitUnary(context, x, 'truncate', 0, 0, type) : { ...x, type }
  return x.type === 'bool' ? whole : wrapIntegers(context, whole)
}

function castValue(value: number, type: ElementType): number {
  if (type === 'bool') return Number(value !== 0)
  const range = integerRange(type)
  if (!range) return value
  const whole = Number.isNaN(value) ? 0 : Math.trunc(value)
  const [least, most] = range
  if (whole >= least && whole <= most) return whole + 0
  // Infinities and ends beyond 64 bits stay at the end of the range.
  if (most > 2 ** 53 || !Number.isFinite(whole)) return whole < least ? least : most
  const span = most - least + 1
  return ((((whole - least) % span) + span) % span) + least
}

/** The same data with axes of size 1 put in front, up to `rank`. */
export function padRank(context: LowerContext, x: Tensor, rank: number): Tensor {
  if (x.dims.length >= rank) return x
  return reshaped(context, x, [...new Array<number>(rank - x.dims.length).fill(1), ...x.dims])
}
