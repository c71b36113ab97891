/** The sliding window that Conv, MaxPool and AveragePool share: kernel, strides, padding and the size of the result. */
import type { Shape } from '../../tensor/shape.ts'
import { type LowerContext, opError } from '../lowering.ts'

export interface Window {
  kernel: [number, number]
  stride: [number, number]
  dilation: [number, number]
  /** top, left, bottom, right */
  pads: [number, number, number, number]
  out: [number, number]
}

/** Larger than any real network's, and small enough that the arithmetic below stays exact. */
const windowMax = 65_536

function pair(context: LowerContext, name: string, fallback: [number, number], least: number): [number, number] {
  const values = context.op.attributes.ints(name)
  if (values === undefined || values.length === 0) return fallback
  if (values.length !== 2 || !values.every(value => Number.isInteger(value) && value >= least && value <= windowMax)) {
    throw opError(context, `has ${name} [${values.join(', ')}]; two whole numbers from ${least} on are supported`)
  }
  return [values[0], values[1]]
}

/**
 * @param dims N, C, H, W of the input
 * @param kernel when the weights say it; else the attribute kernel_shape must
 */
export function readWindow(context: LowerContext, dims: Shape, kernel?: [number, number]): Window {
  if (dims.length !== 4) {
    throw opError(context, `takes a tensor of rank ${dims.length}; only images of rank 4 (N, C, H, W) are supported`)
  }
  const size = kernel ?? pair(context, 'kernel_shape', [0, 0], 1)
  if (size[0] < 1 || size[1] < 1) throw opError(context, 'does not say its kernel_shape; check the model file')
  const stride = pair(context, 'strides', [1, 1], 1)
  const dilation = pair(context, 'dilations', [1, 1], 1)
  const extent: [number, number] = [dilation[0] * (size[0] - 1) + 1, dilation[1] * (size[1] - 1) + 1]
  const auto = context.op.attributes.string('auto_pad', 'NOTSET')
  const ceil = context.op.attributes.int('ceil_mode', 0) !== 0
  const pads =
    auto === 'NOTSET' || auto === 'VALID' ? explicitPads(context, auto) : samePads(context, auto, dims, stride, extent)
  const out = [0, 1].map(axis => {
    const input = dims[axis + 2]
    const room = input + pads[axis] + pads[axis + 2] - extent[axis]
    if (room < 0)
      throw opError(
        context,
        `has a window larger than its padded image of ${dims[2]} x ${dims[3]}; check the model's input size`,
      )
    if (!ceil || auto !== 'NOTSET') return Math.floor(room / stride[axis]) + 1
    const rounded = Math.ceil(room / stride[axis]) + 1
    // A window must start inside the image or its leading padding.
    return (rounded - 1) * stride[axis] >= input + pads[axis] ? rounded - 1 : rounded
  })
  return { kernel: size, stride, dilation, pads, out: [out[0], out[1]] }
}

function explicitPads(context: LowerContext, auto: string): Window['pads'] {
  const pads = context.op.attributes.ints('pads')
  if (auto === 'VALID' || pads === undefined || pads.length === 0) return [0, 0, 0, 0]
  if (pads.length !== 4 || !pads.every(pad => Number.isInteger(pad) && pad >= 0 && pad <= windowMax)) {
    throw opError(context, `has pads [${pads.join(', ')}]; four whole numbers from 0 on are supported`)
  }
  return [pads[0], pads[1], pads[2], pads[3]]
}

function samePads(
  context: LowerContext,
  auto: string,
  dims: Shape,
  stride: [number, number],
  extent: [number, number],
): Window['pads'] {
  if (auto !== 'SAME_UPPER' && auto !== 'SAME_LOWER') {
    throw opError(context, `has auto_pad "${auto}", which ONNX does not know; check the model file`)
  }
  const pads: Window['pads'] = [0, 0, 0, 0]
  for (const axis of [0, 1]) {
    const input = dims[axis + 2]
    const total = Math.max(0, (Math.ceil(input / stride[axis]) - 1) * stride[axis] + extent[axis] - input)
    const less = Math.floor(total / 2)
    pads[axis] = auto === 'SAME_UPPER' ? less : total - less
    pads[axis + 2] = total - pads[axis]
  }
  return pads
}
