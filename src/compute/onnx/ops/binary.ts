/**
 * Add, Sub, Mul, Div, Min, Max (opset 7 on) -> affine where one side is constant by channel, else binary. Integers that
 * are known (arithmetic on shapes) are computed here.
 */
import type { Tensor } from '../../engine/graph.ts'
import { noActivation } from '../../kernels/activation.ts'
import { type BinaryOp, binaryFunctions, binaryOps } from '../../kernels/binary.ts'
import { broadcastShape, broadcastStrides } from '../../tensor/broadcast.ts'
import { type Constant, floatConstant } from '../../tensor/constant.ts'
import { elementsOf, type Shape, sameShape } from '../../tensor/shape.ts'
import { collapse } from '../../tensor/strides.ts'
import { asTensor, inputAt, isConstant, type LowerContext, type Lowered, type Lowering, opError } from '../lowering.ts'

export function arithmetic(op: BinaryOp): Lowering {
  return context => {
    if (context.opset < 7 && context.op.attributes.has('broadcast')) {
      throw opError(context, 'broadcasts in the old way; convert the model to opset 7 or newer')
    }
    // Min and Max take any number of inputs.
    let result = inputAt(context, 0)
    for (let i = 1; i < Math.max(context.inputs.length, op === 'min' || op === 'max' ? 1 : 2); i++) {
      result = combine(context, op, result, inputAt(context, i))
    }
    return [result]
  }
}

function combine(context: LowerContext, op: BinaryOp, a: Lowered, b: Lowered): Lowered {
  const dims = broadcastShape([a.dims, b.dims], context.op.name)
  if (isConstant(a) && isConstant(b) && a.dtype !== 'float32') return foldIntegers(op, a, b, dims)
  if (isConstant(b) !== isConstant(a)) {
    const fused = isConstant(b)
      ? affine(context, op, a, b, dims)
      : isConstant(a) && affineReversed(context, op, a, b, dims)
    if (fused) return fused
  }
  return emitBinary(context, op, asTensor(context, a), asTensor(context, b), dims)
}

function foldIntegers(op: BinaryOp, a: Constant, b: Constant, dims: Shape): Constant {
  const f = binaryFunctions[binaryOps[op]]
  const walk = collapse(dims, [broadcastStrides(a.dims, dims), broadcastStrides(b.dims, dims)])
  const at = (strides: readonly number[], i: number) => {
    let offset = 0
    for (let axis = walk.dims.length - 1; axis >= 0; axis--) {
      offset += (i % walk.dims[axis]) * strides[axis]
      i = Math.floor(i / walk.dims[axis])
    }
    return offset
  }
  const data = Float64Array.from({ length: elementsOf(dims) }, (_, i) => {
    const value = f(a.data[at(walk.strides[0], i)], b.data[at(walk.strides[1], i)])
    return a.dtype === 'float64' ? value : Math.trunc(value)
  })
  return { dims, dtype: a.dtype, data }
}

/** How `constant` repeats over `dims`: [outer, channels, inner] with one value for each channel, if it does. */
function channelsOf(constant: Shape, dims: Shape): { outer: number; channels: number; inner: number } | undefined {
  const padded = [...new Array<number>(Math.max(0, dims.length - constant.length)).fill(1), ...constant]
  if (padded.length !== dims.length) return undefined
  const first = padded.findIndex(dim => dim !== 1)
  const last = padded.findLastIndex(dim => dim !== 1)
  if (first < 0) return { outer: 1, channels: 1, inner: elementsOf(dims) }
  if (!sameShape(padded.slice(first, last + 1), dims.slice(first, last + 1))) return undefined
  return {
    outer: elementsOf(dims.slice(0, first)),
    channels: elementsOf(dims.slice(first, last + 1)),
    inner: elementsOf(dims.slice(last + 1)),
  }
}

/** x op constant as x * scale + shift. */
const affineForms: Partial<Record<BinaryOp, (c: number) => [scale: number, shift: number]>> = {
  add: c => [1, c],
  sub: c => [1, -c],
  mul: c => [c, 0],
  div: c => [1 / c, 0],
}

/** constant op x as x * scale + shift. */
const reversedForms: typeof affineForms = { add: c => [1, c], sub: c => [-1, c], mul: c => [c, 0] }

function affine(context: LowerContext, op: BinaryOp, x: Lowered, constant: Constant, dims: Shape) {
  return emitAffine(context, affineForms[op], x, constant, dims)
}

function affineReversed(context: LowerContext, op: BinaryOp, constant: Constant, x: Lowered, dims: Shape) {
  return emitAffine(context, reversedForms[op], x, constant, dims)
}

function emitAffine(
  context: LowerContext,
  form: ((c: number) => [number, number]) | undefined,
  x: Lowered,
  constant: Constant,
  dims: Shape,
): Tensor | undefined {
  const split = channelsOf(constant.dims, dims)
  if (!form || !split || !sameShape(x.dims, dims)) return undefined
  const pairs = Array.from(constant.data, form)
  // A constant that is not finite, or a division by zero, keeps its own arithmetic: inf * 0 is not what was asked for.
  if (!pairs.every(pair => pair.every(Number.isFinite))) return undefined
  const [scale, shift] = [0, 1].map(side =>
    context.graph.constant(
      floatConstant(
        [pairs.length],
        Float32Array.from(pairs, pair => pair[side]),
      ),
    ),
  )
  return context.graph.emit(
    'affine',
    context.op.name,
    { ...split, ...noActivation },
    [asTensor(context, x), scale, shift],
    dims,
  )
}

function emitBinary(context: LowerContext, op: BinaryOp, x: Tensor, y: Tensor, dims: Shape): Tensor {
  const { dims: d, strides } = collapse(dims, [broadcastStrides(x.dims, dims), broadcastStrides(y.dims, dims)])
  const [a, b] = strides
  const params = {
    op: binaryOps[op],
    ...{ dim0: d[0], dim1: d[1], dim2: d[2], dim3: d[3], dim4: d[4], dim5: d[5] },
    ...{ strideA0: a[0], strideA1: a[1], strideA2: a[2], strideA3: a[3], strideA4: a[4], strideA5: a[5] },
    ...{ strideB0: b[0], strideB1: b[1], strideB2: b[2], strideB3: b[3], strideB4: b[4], strideB5: b[5] },
    ...noActivation,
  }
  return context.graph.emit('binary', context.op.name, params, [x, y], dims)
}
