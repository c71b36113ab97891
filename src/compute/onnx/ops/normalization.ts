/**
 * BatchNormalization (opset 7 to 15 on) -> affine where its statistics are constants; LayerNormalization (17),
 * InstanceNormalization (6), GroupNormalization (18, 21) -> normalize; LRN -> lrn; MeanVarianceNormalization.
 */
import type { Tensor } from '../../engine/graph.ts'
import { noActivation } from '../../kernels/activation.ts'
import { elementsOf, normalAxis, shapeText } from '../../tensor/shape.ts'
import {
  floats,
  inputAt,
  inputOfRank,
  type LowerContext,
  type Lowering,
  mismatch,
  opError,
  reshaped,
  unsupported,
} from '../lowering.ts'
import { emitBinary, emitExpand, emitReduce, emitUnary, emitWith } from './emit.ts'

export const batchNormalization: Lowering = context => {
  const { op, graph, opset } = context
  const x = inputAt(context, 0)
  if (opset < 7 && op.attributes.int('is_test', 0) === 0) {
    throw unsupported(context, 'is in the training mode of old opsets')
  }
  // A tensor of rank 1 has one channel.
  const channels = x.dims.length > 1 ? x.dims[1] : 1
  const vectors = [1, 2, 3, 4].map(index => vector(context, index, channels))
  const epsilon = op.attributes.float('epsilon', 1e-5)
  if (opset >= 14 && op.attributes.int('training_mode', 0) !== 0) return trainBatch(context, x, vectors, epsilon)
  const known = vectors.map(tensor => graph.known(tensor))
  const [gamma, beta, mean, variance] = known
  if (!gamma || !beta || !mean || !variance) return [normalizeByTensors(context, x, vectors, epsilon)]
  const scale = new Float32Array(channels)
  const shift = new Float32Array(channels)
  for (let c = 0; c < channels; c++) {
    const factor = gamma[c] / Math.sqrt(variance[c] + epsilon)
    scale[c] = factor
    shift[c] = beta[c] - mean[c] * factor
  }
  const params = { outer: x.dims[0] ?? 1, channels, inner: elementsOf(x.dims.slice(2)), ...noActivation }
  return [graph.emit('affine', op.name, params, [x, floats(context, scale), floats(context, shift)], x.dims)]
}

/** Training mode: the batch's own statistics, and the running ones moved towards them. */
function trainBatch(context: LowerContext, x: Tensor, vectors: readonly Tensor[], epsilon: number): Tensor[] {
  const momentum = context.op.attributes.float('momentum', 0.9)
  const axes = x.dims.flatMap((_, axis) => (axis === 1 ? [] : [axis]))
  const [gamma, beta, runningMean, runningVariance] = vectors
  const mean = emitReduce(context, x, 'mean', axes, false)
  const centred = emitBinary(context, 'sub', x, byChannel(context, x, mean))
  const variance = emitReduce(context, emitBinary(context, 'mul', centred, centred), 'mean', axes, false)
  const moved = (running: Tensor, current: Tensor) =>
    emitBinary(
      context,
      'add',
      emitWith(context, 'mul', running, momentum),
      emitWith(context, 'mul', current, 1 - momentum),
    )
  return [
    normalizeByTensors(context, x, [gamma, beta, mean, variance], epsilon),
    moved(runningMean, mean),
    moved(runningVariance, variance),
  ]
}

function vector(context: LowerContext, index: number, length: number): Tensor {
  const tensor = inputAt(context, index)
  if (tensor.dims.join() !== `${length}`) {
    throw mismatch(context, `input ${index} of shape`, `[${length}]`, shapeText(tensor.dims))
  }
  return tensor
}

/** The channels of axis 1 as something that broadcasts to x. */
function byChannel(context: LowerContext, x: Tensor, values: Tensor): Tensor {
  return reshaped(context, values, x.dims.length < 2 ? [1] : x.dims.map((dim, axis) => (axis === 1 ? dim : 1)))
}

function normalizeByTensors(context: LowerContext, x: Tensor, vectors: readonly Tensor[], epsilon: number): Tensor {
  const [gamma, beta, mean, variance] = vectors.map(tensor => byChannel(context, x, tensor))
  const deviation = emitUnary(context, emitWith(context, 'add', variance, epsilon), 'sqrt')
  const scaled = emitBinary(
    context,
    'mul',
    emitBinary(context, 'sub', x, mean),
    emitBinary(context, 'div', gamma, deviation),
  )
  return emitBinary(context, 'add', scaled, beta)
}

interface Affine {
  scale: Tensor | null
  bias: Tensor | null
}

function emitNormalize(
  context: LowerContext,
  x: Tensor,
  outer: number,
  epsilon: number,
  { scale, bias }: Affine,
): Tensor {
  const inner = outer === 0 ? 0 : elementsOf(x.dims) / outer
  const params = { outer, inner, epsilon, hasScale: scale ? 1 : 0, hasBias: bias ? 1 : 0 }
  return context.graph.emit('normalize', context.op.name, params, [x, scale, bias], x.dims)
}

/** Mean and InvStdDev are given where they are asked for. */
export const layerNormalization: Lowering = context => {
  const { op } = context
  const x = inputOfRank(context, 0, 1)
  const axis = normalAxis(op.attributes.int('axis', -1), x.dims.length, op.name)
  const outer = elementsOf(x.dims.slice(0, axis))
  const epsilon = op.attributes.float('epsilon', 1e-5)
  const size = x.dims.slice(axis)
  const [scale, bias] = [inputAt(context, 1), context.inputs[2]]
  const dense = (tensor: Tensor | undefined) => (tensor ? whole(context, tensor, size) : undefined)
  const [wholeScale, wholeBias] = [dense(scale), dense(bias)]
  // A scale by row is no scale of `normalize`: it goes behind.
  const fits = wholeScale !== null && wholeBias !== null
  const affine = fits ? { scale: wholeScale ?? null, bias: wholeBias ?? null } : { scale: null, bias: null }
  let y = emitNormalize(context, x, outer, epsilon, affine)
  if (!fits) {
    y = emitBinary(context, 'mul', y, scale)
    if (bias) y = emitBinary(context, 'add', y, bias)
  }
  if (!op.outputs[1] && !op.outputs[2]) return [y]
  const axes = size.map((_, i) => axis + i)
  const mean = emitReduce(context, x, 'mean', axes, true)
  const squares = emitUnaryMean(context, emitBinary(context, 'sub', x, mean), axes)
  const deviation = emitUnary(
    context,
    emitUnary(context, emitWith(context, 'add', squares, epsilon), 'sqrt'),
    'reciprocal',
  )
  return [y, mean, deviation]
}

function emitUnaryMean(context: LowerContext, x: Tensor, axes: readonly number[]): Tensor {
  return emitReduce(context, emitBinary(context, 'mul', x, x), 'mean', axes, true)
}

/** A scale or bias repeated to the normalised axes; null where it has axes before them. */
function whole(context: LowerContext, tensor: Tensor, size: readonly number[]): Tensor | null {
  const extra = tensor.dims.length - size.length
  if (extra > 0 && tensor.dims.slice(0, extra).some(dim => dim !== 1)) return null
  const own = extra > 0 ? reshaped(context, tensor, tensor.dims.slice(extra)) : tensor
  const shift = size.length - own.dims.length
  if (own.dims.some((dim, i) => dim !== 1 && dim !== size[i + shift])) {
    throw mismatch(context, 'a scale and bias for', shapeText(size), shapeText(tensor.dims))
  }
  return emitExpand(context, own, size)
}

export const instanceNormalization: Lowering = context => {
  const x = inputOfRank(context, 0, 2)
  const [scale, bias] = [vector(context, 1, x.dims[1]), vector(context, 2, x.dims[1])]
  const epsilon = context.op.attributes.float('epsilon', 1e-5)
  return [normalizeGroups(context, x, x.dims[0] * x.dims[1], epsilon, scale, bias)]
}

/** Scale and bias by group in opset 18, by channel since 21. */
export const groupNormalization: Lowering = context => {
  const { op } = context
  const x = inputOfRank(context, 0, 2)
  const [batch, channels] = x.dims
  const groups = op.attributes.int('num_groups', 0)
  if (!(groups >= 1) || channels % groups !== 0) {
    throw mismatch(context, 'num_groups that divide the channels,', `${channels}`, `${groups}`)
  }
  const epsilon = op.attributes.float('epsilon', 1e-5)
  const [scale, bias] = [1, 2].map(index => {
    if (context.opset >= 21) return vector(context, index, channels)
    const perGroup = reshaped(context, vector(context, index, groups), [groups, 1])
    return reshaped(context, emitExpand(context, perGroup, [groups, channels / groups]), [channels])
  })
  return [normalizeGroups(context, x, batch * groups, epsilon, scale, bias)]
}

/** Rows normalised, then scale and bias by channel. */
function normalizeGroups(
  context: LowerContext,
  x: Tensor,
  outer: number,
  epsilon: number,
  scale: Tensor,
  bias: Tensor,
): Tensor {
  const { graph, op } = context
  const rows = emitNormalize(context, x, outer, epsilon, { scale: null, bias: null })
  const params = { outer: x.dims[0], channels: x.dims[1], inner: elementsOf(x.dims.slice(2)), ...noActivation }
  return graph.emit('affine', op.name, params, [rows, scale, bias], x.dims)
}

export const lrn: Lowering = context => {
  const { op, graph } = context
  const x = inputOfRank(context, 0, 2)
  const size = op.attributes.int('size', 0)
  if (!(size >= 1)) throw opError(context, `has the size ${size}; check the model file`)
  const params = {
    ...{ outer: x.dims[0], channels: x.dims[1], inner: elementsOf(x.dims.slice(2)), size },
    alpha: op.attributes.float('alpha', 1e-4),
    beta: op.attributes.float('beta', 0.75),
    bias: op.attributes.float('bias', 1),
  }
  return [graph.emit('lrn', op.name, params, [x], x.dims)]
}

/** (x - mean) / standard deviation over the given axes, opset 9. */
export const meanVarianceNormalization: Lowering = context => {
  const x = inputAt(context, 0)
  const axes = (context.op.attributes.ints('axes') ?? [0, 2, 3]).map(axis =>
    normalAxis(axis, x.dims.length, context.op.name),
  )
  const centred = emitBinary(context, 'sub', x, emitReduce(context, x, 'mean', axes, true))
  const deviation = emitUnary(context, emitUnaryMean(context, centred, axes), 'sqrt')
  return [emitBinary(context, 'div', centred, emitWith(context, 'add', deviation, 1e-9))]
}
