/** The sliding window that Conv, ConvTranspose, MaxPool and AveragePool share, over any number of spatial axes. */
import type { Shape } from '../../tensor/shape.ts'
import { type LowerContext, mismatch, opError, unsupported } from '../lowering.ts'

/** One number for each spatial axis. */
export interface Window {
  kernel: number[]
  stride: number[]
  dilation: number[]
  /** Before and behind the data. */
  padBegin: number[]
  padEnd: number[]
  out: number[]
}

/** Larger than any real network's, and small enough that the arithmetic below stays exact. */
const windowMax = 65_536

/** An attribute with one number for each spatial axis, or `fallback` where it is absent. */
export function perAxis(context: LowerContext, name: string, count: number, fallback: number, least: number): number[] {
  const values = context.op.attributes.ints(name)
  if (values === undefined || values.length === 0) return new Array<number>(count).fill(fallback)
  if (
    values.length !== count ||
    !values.every(value => Number.isInteger(value) && value >= least && value <= windowMax)
  ) {
    throw mismatch(context, `${name} as`, `${count} whole numbers from ${least} on`, `[${values.join(', ')}]`)
  }
  return [...values]
}

export type AutoPad = 'NOTSET' | 'VALID' | 'SAME_UPPER' | 'SAME_LOWER'

export function autoPadOf(context: LowerContext): AutoPad {
  const auto = context.op.attributes.string('auto_pad', 'NOTSET')
  if (auto === 'NOTSET' || auto === 'VALID' || auto === 'SAME_UPPER' || auto === 'SAME_LOWER') return auto
  throw opError(context, `has auto_pad "${auto}", which ONNX does not know; check the model file`)
}

/** Explicit pads: zeros where absent. */
export function padsOf(context: LowerContext, count: number): [begin: number[], end: number[]] {
  const pads = perAxis(context, 'pads', 2 * count, 0, 0)
  return [pads.slice(0, count), pads.slice(count)]
}

/**
 * @param dims N, C and the spatial dims of the input
 * @param kernel when the weights say it; else the attribute kernel_shape must
 */
export function readWindow(context: LowerContext, dims: Shape, kernel?: readonly number[]): Window {
  const space = dims.slice(2)
  const count = space.length
  if (count < 1)
    throw mismatch(context, 'a tensor with N, C and at least one more axis,', 'rank 3', `rank ${dims.length}`)
  if (count > 3) throw unsupported(context, `has ${count} spatial axes`)
  const size = kernel ? [...kernel] : perAxis(context, 'kernel_shape', count, 0, 1)
  if (size.length !== count || size.some(width => width < 1)) {
    throw mismatch(context, 'a kernel_shape for', `${count} axes`, `[${size.join(', ')}]`)
  }
  const stride = perAxis(context, 'strides', count, 1, 1)
  const dilation = perAxis(context, 'dilations', count, 1, 1)
  const extent = size.map((width, axis) => dilation[axis] * (width - 1) + 1)
  const auto = autoPadOf(context)
  const [padBegin, padEnd] = auto === 'NOTSET' ? padsOf(context, count) : autoPads(auto, space, stride, extent)
  const ceil = context.op.attributes.int('ceil_mode', 0) !== 0
  const out = space.map((input, axis) => {
    const room = input + padBegin[axis] + padEnd[axis] - extent[axis]
    if (room < 0) {
      throw mismatch(context, 'a padded input of at least', `${extent}`, `[${space.join(', ')}] with its padding`)
    }
    if (!ceil) return Math.floor(room / stride[axis]) + 1
    const rounded = Math.ceil(room / stride[axis]) + 1
    // A window must start inside the data or its leading padding.
    return (rounded - 1) * stride[axis] >= input + padBegin[axis] ? rounded - 1 : rounded
  })
  return { kernel: size, stride, dilation, padBegin, padEnd, out }
}

function autoPads(auto: AutoPad, space: Shape, stride: readonly number[], extent: readonly number[]) {
  const total = space.map((input, axis) =>
    auto === 'VALID' ? 0 : Math.max(0, (Math.ceil(input / stride[axis]) - 1) * stride[axis] + extent[axis] - input),
  )
  return splitPads(auto, total)
}

/** SAME_UPPER puts the odd one behind, SAME_LOWER before. */
export function splitPads(auto: AutoPad, total: readonly number[]): [begin: number[], end: number[]] {
  const less = total.map(pad => Math.floor(pad / 2))
  const more = total.map((pad, axis) => pad - less[axis])
  return auto === 'SAME_LOWER' ? [more, less] : [less, more]
}

/** Values for depth, height and width, of those axes that there are; the missing ones come first. */
export function three(values: readonly number[], missing: number): [number, number, number] {
  const [a = missing, b = missing, c = missing] = [...new Array<number>(3 - values.length).fill(missing), ...values]
  return [a, b, c]
}
