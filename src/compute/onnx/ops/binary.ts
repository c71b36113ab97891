/**
 * Operators of two elements with broadcasting (opset 7 on): arithmetic, comparisons, logic -> binary; arithmetic with
 * constants by channel -> affine, which the engine takes into what stands before it. Sum, Mean, Min, Max take any number.
 */
import type { Tensor } from '../../engine/graph.ts'
import { noActivation } from '../../kernels/activation.ts'
import type { BinaryOp } from '../../kernels/binary.ts'
import { broadcastShape } from '../../tensor/broadcast.ts'
import { floatConstant } from '../../tensor/constant.ts'
import type { HostArray } from '../../tensor/dtype.ts'
import { isFloat, isInteger } from '../../tensor/element-type.ts'
import { elementsOf, type Shape, sameShape } from '../../tensor/shape.ts'
import { floats, inputAt, type LowerContext, type Lowering, mismatch, opError } from '../lowering.ts'
import { emitBinary, emitUnary, emitWhere, emitWith, wrapIntegers } from './emit.ts'

function checkBroadcast(context: LowerContext): void {
  if (context.opset < 7 && context.op.attributes.has('broadcast')) {
    throw opError(context, 'broadcasts in the old way; convert the model to opset 7 or newer')
  }
}

/** Add, Sub, Mul, Div; integers divide towards zero, narrow ones wrap. */
export function arithmetic(op: BinaryOp): Lowering {
  return context => {
    checkBroadcast(context)
    return [combine(context, op, inputAt(context, 0), inputAt(context, 1))]
  }
}

export function combine(context: LowerContext, op: BinaryOp, a: Tensor, b: Tensor): Tensor {
  if (isInteger(a.type)) {
    return wrapIntegers(context, emitBinary(context, op === 'div' ? 'intDiv' : op, a, b))
  }
  const knownA = context.graph.known(a)
  const knownB = context.graph.known(b)
  if (isFloat(a.type) && !knownA !== !knownB) {
    const dims = broadcastShape([a.dims, b.dims], context.op.name)
    const fused = knownB
      ? emitAffine(context, affineForms[op], a, b.dims, knownB, dims)
      : emitAffine(context, reversedForms[op], b, a.dims, knownA ?? [], dims)
    if (fused) return fused
  }
  return emitBinary(context, op, a, b)
}

/** Min, Max, Sum and what Mean begins with. */
function fold(op: 'min' | 'max' | 'add'): (context: LowerContext) => Tensor {
  return context => {
    checkBroadcast(context)
    let result = inputAt(context, 0)
    for (let i = 1; i < context.inputs.length; i++) result = combine(context, op, result, inputAt(context, i))
    return result
  }
}

export function variadic(op: 'min' | 'max' | 'add'): Lowering {
  const folded = fold(op)
  return context => [folded(context)]
}

export const mean: Lowering = context => {
  const sum = fold('add')(context)
  return [combine(context, 'div', sum, floats(context, [context.inputs.length], []))]
}

/** Comparisons and logic: the result is bool. */
export function condition(op: BinaryOp): Lowering {
  return context => {
    checkBroadcast(context)
    return [emitBinary(context, op, inputAt(context, 0), inputAt(context, 1), 'bool')]
  }
}

/** fmod 0 takes the divisor's sign (integers only), 1 the dividend's. */
export const mod: Lowering = context => {
  const [a, b] = [inputAt(context, 0), inputAt(context, 1)]
  const fmod = context.op.attributes.int('fmod', 0) !== 0
  if (!fmod && isFloat(a.type)) throw mismatch(context, 'for floats the attribute fmod', '1', '0')
  return [emitBinary(context, fmod ? 'fmod' : 'mod', a, b)]
}

/** The result has the base's type, whatever the exponent's. */
export const pow: Lowering = context => {
  const [base, exponent] = [inputAt(context, 0), inputAt(context, 1)]
  const power = emitBinary(context, 'pow', base, exponent)
  if (isFloat(base.type)) return [power]
  // A device's power may lie a few last places beside a whole number.
  if (!isFloat(exponent.type)) return [wrapIntegers(context, emitUnary(context, power, 'round'))]
  return [emitUnary(context, emitWith(context, 'mul', power, 1 + 1e-6), 'truncate')]
}

/** The slope broadcasts to x, never x to the slope. */
export const prelu: Lowering = context => {
  const [x, slope] = [inputAt(context, 0), inputAt(context, 1)]
  if (!sameShape(broadcastShape([x.dims, slope.dims], context.op.name), x.dims)) {
    throw mismatch(context, 'a slope that broadcasts to', `[${x.dims}]`, `[${slope.dims}]`)
  }
  return [emitBinary(context, 'prelu', x, slope)]
}

export const where: Lowering = context => {
  const [condition, a, b] = [0, 1, 2].map(i => inputAt(context, i))
  return [emitWhere(context, condition, a, b)]
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

function emitAffine(
  context: LowerContext,
  form: ((c: number) => [number, number]) | undefined,
  x: Tensor,
  constantDims: Shape,
  constant: HostArray | readonly number[],
  dims: Shape,
): Tensor | undefined {
  const split = channelsOf(constantDims, dims)
  if (!form || !split || !sameShape(x.dims, dims)) return undefined
  const scale = new Float32Array(constant.length)
  const shift = new Float32Array(constant.length)
  for (let i = 0; i < constant.length; i++) {
    const [factor, term] = form(constant[i])
    // A constant that is not finite, or a division by zero, keeps its own arithmetic: inf * 0 is not what was asked for.
    if (!Number.isFinite(factor) || !Number.isFinite(term)) return undefined
    scale[i] = factor
    shift[i] = term
  }
  const constants = [scale, shift].map(data => context.graph.constant(floatConstant([data.length], data)))
  return context.graph.emit('affine', context.op.name, { ...split, ...noActivation }, [x, ...constants], dims)
}
