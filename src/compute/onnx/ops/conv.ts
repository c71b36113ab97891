/** Conv, opset 1 on, with groups and dilation: one and two spatial axes -> conv2d; three -> a conv2d for each plane of the kernel, summed. */
import type { Tensor } from '../../engine/graph.ts'
import { noActivation } from '../../kernels/activation.ts'
import { elementsOf, type Shape, shapeText, stridesOf } from '../../tensor/shape.ts'
import { inputAt, type LowerContext, type Lowering, mismatch, reshaped } from '../lowering.ts'
import { copyParts, emitTranspose, emitView } from './emit.ts'
import { filled } from './generate.ts'
import { readWindow, type Window } from './window.ts'

export const conv: Lowering = context => {
  const x = inputAt(context, 0)
  const w = inputAt(context, 1)
  const bias = context.inputs[2]
  const groups = context.op.attributes.int('group', 1)
  if (w.dims.length !== x.dims.length) {
    throw mismatch(context, 'weights of rank', `${x.dims.length}`, shapeText(w.dims))
  }
  const window = readWindow(context, x.dims, w.dims.slice(2))
  const [filters, channelsPerGroup] = w.dims
  const divides = Number.isInteger(groups) && groups > 0 && filters % groups === 0
  if (!divides || x.dims[1] !== channelsPerGroup * groups) {
    const wanted = `${x.dims[1]} channels in ${groups} groups`
    throw mismatch(context, 'weights for', wanted, shapeText(w.dims))
  }
  if (bias && bias.dims.join() !== `${filters}`) {
    throw mismatch(context, 'a bias of shape', `[${filters}]`, shapeText(bias.dims))
  }
  return [window.out.length === 3 ? conv3d(context, x, w, bias, window) : planar(context, x, w, bias, window)]
}

interface Planes {
  stride: [number, number]
  dilation: [number, number]
  pad: [number, number]
  out: [number, number]
}

/** Values for height and width; a missing height is `missing`. */
function two(values: readonly number[], missing: number): [number, number] {
  return values.length === 1 ? [missing, values[0]] : [values[values.length - 2], values[values.length - 1]]
}

function planesOf({ stride, dilation, padBegin, out }: Window): Planes {
  return { stride: two(stride, 1), dilation: two(dilation, 1), pad: two(padBegin, 0), out: two(out, 1) }
}

function planar(context: LowerContext, x: Tensor, w: Tensor, bias: Tensor | undefined, window: Window): Tensor {
  const dims = [x.dims[0], w.dims[0], ...window.out]
  return { ...emitConv2d(context, x, w, bias ?? null, null, planesOf(window)), dims }
}

/** x [N, C, H, W] or [N, C, W], w [F, C / groups, kH, kW] or without kH. */
function emitConv2d(
  context: LowerContext,
  x: Tensor,
  w: Tensor,
  bias: Tensor | null,
  residual: Tensor | null,
  { stride, dilation, pad, out }: Planes,
): Tensor {
  const [height, width] = two(x.dims.slice(2), 1)
  const [kernelH, kernelW] = two(w.dims.slice(2), 1)
  const params = {
    ...{ batch: x.dims[0], channels: x.dims[1], height, width, filters: w.dims[0], kernelH, kernelW },
    ...{ outHeight: out[0], outWidth: out[1], strideH: stride[0], strideW: stride[1], padTop: pad[0], padLeft: pad[1] },
    ...{ dilationH: dilation[0], dilationW: dilation[1], groups: context.op.attributes.int('group', 1) },
    ...{ hasBias: bias ? 1 : 0, hasResidual: residual ? 1 : 0, ...noActivation },
  }
  const dims = [x.dims[0], w.dims[0], ...out]
  return context.graph.emit('conv2d', context.op.name, params, [x, w, bias, residual], dims)
}

/** For each plane of the kernel along the depth: the slices that it meets, as a batch of images. */
function conv3d(context: LowerContext, x: Tensor, w: Tensor, bias: Tensor | undefined, window: Window): Tensor {
  const [batch, filters, depth] = [x.dims[0], w.dims[0], window.out[0]]
  const planes = planesOf(window)
  let sum: Tensor | null = null
  for (let kz = 0; kz < window.kernel[0]; kz++) {
    const slices = depthSlices(context, x, window, kz)
    const weights = emitPlane(context, w, kz)
    sum = emitConv2d(context, slices, weights, kz === 0 ? (bias ?? null) : null, sum, planes)
  }
  const images = reshaped(context, sum ?? x, [batch, depth, filters, ...planes.out])
  return emitTranspose(context, images, [0, 2, 1, 3, 4])
}

/** [N, C, D, H, W] -> [N * outDepth, C, H, W]: the slice that plane kz of the kernel meets; zeros outside. */
function depthSlices(context: LowerContext, x: Tensor, window: Window, kz: number): Tensor {
  const [batch, channels, depth, height, width] = x.dims
  const [stride, dilation, pad, out] = [window.stride[0], window.dilation[0], window.padBegin[0], window.out[0]]
  const dims: Shape = [batch * out, channels, height, width]
  const from = stridesOf(x.dims)
  const to = stridesOf([batch, out, channels, height, width])
  const shift = kz * dilation - pad
  const first = Math.max(0, Math.ceil(-shift / stride))
  const last = Math.min(out, Math.ceil((depth - shift) / stride))
  const zero = filled(context, [], x.type, 0)
  const parts = copyParts(zero, [elementsOf(dims)], { offset: 0, strides: [0] }, { offset: 0, strides: [1] })
  if (last > first) {
    const walk = [batch, last - first, channels, height, width]
    const read = {
      offset: (first * stride + shift) * from[2],
      strides: [from[0], stride * from[2], from[1], from[3], from[4]],
    }
    parts.push(...copyParts(x, walk, read, { offset: first * to[1], strides: to }))
  }
  return context.graph.assemble(context.op.name, parts, dims, x.type)
}

/** [F, C, D, kH, kW] -> [F, C, kH, kW] at one depth. */
function emitPlane(context: LowerContext, w: Tensor, kz: number): Tensor {
  const from = stridesOf(w.dims)
  const dims = [w.dims[0], w.dims[1], w.dims[3], w.dims[4]]
  return emitView(context, w, dims, { offset: kz * from[2], strides: [from[0], from[1], from[3], from[4]] })
}
