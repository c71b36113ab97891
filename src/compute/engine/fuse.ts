/**
 * The pass that takes arithmetic by channel into the weights of a convolution, product, normalisation or pixel conversion, and sums
 * and activations into their epilogues.
 *
 * Invariant: a step is absorbed only when its producer's result is read by it alone, and the kernels' contracts
 * (sum, + bias, + residual, activation) give what the separate steps gave, up to rounding of folded weights.
 */
import { activations } from '../kernels/activation.ts'
import { binaryOps } from '../kernels/binary.ts'
import { unaryOps } from '../kernels/unary.ts'
import type { HostArray } from '../tensor/dtype.ts'
import { countUses, type Graph } from './graph.ts'
import type { Step, StepOf } from './program.ts'

export function fuse(graph: Graph): void {
  const uses = countUses(graph)
  /** Value -> the one step that writes it, among those kept. */
  const producers = new Map<number, Step>()
  const kept = new Set<Step>()
  for (const step of graph.steps) {
    let current = step
    for (const input of orderOfTrial(step)) {
      const producer = producers.get(input)
      if (!producer || uses[input] !== 1 || !kept.has(producer)) continue
      const merged = absorb(graph, producer, step, input)
      if (!merged) continue
      kept.delete(producer)
      current = merged
      break
    }
    kept.add(current)
    // A value that several copies fill has no one producer; copies absorb and are absorbed by nothing.
    if (current.kernel !== 'copy') producers.set(current.output, current)
  }
  graph.steps = [...kept]
}

/** A sum may go into either of its operands' epilogues; the second is as a rule the longer branch. */
function orderOfTrial(step: Step): number[] {
  const inputs = step.kernel === 'binary' ? step.inputs.toReversed() : step.inputs.slice(0, 1)
  return inputs.filter(input => input !== null)
}

function absorb(graph: Graph, producer: Step, step: Step, input: number): Step | undefined {
  switch (step.kernel) {
    case 'affine':
      return absorbAffine(graph, producer, step)
    case 'binary':
      return absorbSum(graph, producer, step, input)
    case 'unary':
      return absorbActivation(producer, step)
    default:
      return undefined
  }
}

function absorbActivation(producer: Step, step: StepOf<'unary'>): Step | undefined {
  const { op, alpha, beta } = step.params
  const relu = op === unaryOps.relu
  if (!relu && op !== unaryOps.clip) return undefined
  const epilogue = relu
    ? { activation: activations.relu, clipMin: 0, clipMax: 0 }
    : { activation: activations.clip, clipMin: alpha, clipMax: beta }
  switch (producer.kernel) {
    case 'conv2d':
      return plain(producer)
        ? { ...producer, output: step.output, params: { ...producer.params, ...epilogue } }
        : undefined
    case 'gemm':
      return plain(producer)
        ? { ...producer, output: step.output, params: { ...producer.params, ...epilogue } }
        : undefined
    case 'affine':
      return plain(producer)
        ? { ...producer, output: step.output, params: { ...producer.params, ...epilogue } }
        : undefined
    case 'binary':
      return plain(producer)
        ? { ...producer, output: step.output, params: { ...producer.params, ...epilogue } }
        : undefined
    default:
      return undefined
  }
}

/** No activation yet, so that something may follow in the epilogue. */
function plain(step: { params: { activation: number } }): boolean {
  return step.params.activation === activations.none
}

/** conv2d + another tensor of the same shape. */
function absorbSum(graph: Graph, conv: Step, step: StepOf<'binary'>, input: number): Step | undefined {
  const p = step.params
  const dense = p.dim0 * p.dim1 * p.dim2 * p.dim3 * p.dim4 === 1 && p.strideA5 === 1 && p.strideB5 === 1
  if (conv.kernel !== 'conv2d' || p.op !== binaryOps.add || !dense) return undefined
  const other = step.inputs[0] === input ? step.inputs[1] : step.inputs[0]
  const same = other !== null && graph.values[other].elements === graph.values[conv.output].elements
  if (!same || !plain(conv) || conv.params.hasResidual) return undefined
  const { activation, clipMin, clipMax } = p
  const [x, w, bias] = conv.inputs
  const params = { ...conv.params, hasResidual: 1, activation, clipMin, clipMax }
  return { ...conv, params, inputs: [x, w, bias, other], output: step.output }
}

/** A step's constant operand as numbers, repeated to `count` where it has one value. */
function vector(graph: Graph, value: number | null, count: number): HostArray | undefined {
  const data = value === null ? undefined : graph.values[value].constant
  if (data && data.length === 1 && count !== 1) return new Float32Array(count).fill(data[0])
  return data && data.length === count ? data : undefined
}

/** `Float32Array.from` with a function, without the iterator that makes it slow on large weights. */
function mapFloats(data: HostArray, f: (value: number, index: number) => number): Float32Array {
  const result = new Float32Array(data.length)
  for (let i = 0; i < data.length; i++) result[i] = f(data[i], i)
  return result
}

function addConstant(graph: Graph, data: Float32Array): number {
  return graph.values.push({ dtype: 'float32', elements: data.length, constant: data }) - 1
}

function absorbAffine(graph: Graph, producer: Step, step: StepOf<'affine'>): Step | undefined {
  switch (producer.kernel) {
    case 'conv2d': {
      const { filters, outHeight, outWidth, hasResidual } = producer.params
      if (hasResidual || !byChannel(step, filters, outHeight * outWidth)) return undefined
      return absorbIntoWeights(graph, producer, step, filters, (index, length) =>
        Math.floor((index * filters) / length),
      )
    }
    case 'gemm': {
      const { n, k, transposeB, biasStrideM, sharedB } = producer.params
      if (!byChannel(step, n, 1) || (producer.params.hasBias && biasStrideM !== 0) || !sharedB) return undefined
      return absorbIntoWeights(graph, producer, step, n, index => (transposeB ? Math.floor(index / k) : index % n))
    }
    case 'affine':
      return absorbIntoAffine(graph, producer, step)
    case 'normalize':
      return absorbIntoNormalize(graph, producer, step)
    case 'image-to-tensor': {
      const { channels, area } = producer.params
      if (!byChannel(step, channels, area) || !plain(step)) return undefined
      const composed = compose(graph, producer.inputs, step.inputs, channels)
      return composed && { ...producer, inputs: [producer.inputs[0], ...composed], output: step.output }
    }
    default:
      return undefined
  }
}

function byChannel(step: StepOf<'affine'>, channels: number, inner: number): boolean {
  return step.params.channels === 1 || (step.params.channels === channels && step.params.inner === inner)
}

/**
 * conv2d or gemm, then scale and shift: into the weights and the bias.
 * @param channelOf the channel to which a weight belongs, by its index
 */
function absorbIntoWeights(
  graph: Graph,
  producer: StepOf<'conv2d'> | StepOf<'gemm'>,
  step: StepOf<'affine'>,
  channels: number,
  channelOf: (index: number, length: number) => number,
): Step | undefined {
  const [x, w, bias, ...rest] = producer.inputs
  const scale = vector(graph, step.inputs[1], channels)
  const shift = vector(graph, step.inputs[2], channels)
  const before = bias === null ? new Float32Array(channels) : vector(graph, bias, channels)
  if (!scale || !shift || !before || w === null || !plain(producer)) return undefined
  let weights = w
  if (scale.some(factor => factor !== 1)) {
    const old = graph.values[w].constant
    if (!old) return undefined
    weights = addConstant(
      graph,
      mapFloats(old, (value, i) => value * scale[channelOf(i, old.length)]),
    )
  }
  const biases = addConstant(
    graph,
    mapFloats(shift, (value, c) => before[c] * scale[c] + value),
  )
  const { activation, clipMin, clipMax } = step.params
  const inputs = [x, weights, biases, ...rest]
  const epilogue = { hasBias: 1, activation, clipMin, clipMax }
  if (producer.kernel === 'conv2d') {
    return { ...producer, params: { ...producer.params, ...epilogue }, inputs, output: step.output }
  }
  const walk = { biasStrideM: 0, biasStrideN: 1 }
  return { ...producer, params: { ...producer.params, ...epilogue, ...walk }, inputs, output: step.output }
}

function absorbIntoAffine(graph: Graph, first: StepOf<'affine'>, second: StepOf<'affine'>): Step | undefined {
  if (!plain(first)) return undefined
  const [wider, other] = first.params.channels >= second.params.channels ? [first, second] : [second, first]
  const { outer, channels, inner } = wider.params
  if (!byChannel(other, channels, inner)) return undefined
  const composed = compose(graph, first.inputs, second.inputs, channels)
  const { activation, clipMin, clipMax } = second.params
  const params = { outer, channels, inner, activation, clipMin, clipMax }
  return composed && { ...second, params, inputs: [first.inputs[0], ...composed] }
}

/** A row brought to mean 0 and variance 1, then a scale and shift by column. */
function absorbIntoNormalize(graph: Graph, first: StepOf<'normalize'>, second: StepOf<'affine'>): Step | undefined {
  const { inner, hasScale, hasBias } = first.params
  if (hasScale || hasBias || !plain(second) || !byChannel(second, inner, 1)) return undefined
  const scale = vector(graph, second.inputs[1], inner)
  const shift = vector(graph, second.inputs[2], inner)
  if (!scale || !shift) return undefined
  const constants = [scale, shift].map(data => addConstant(graph, Float32Array.from(data)))
  const params = { ...first.params, hasScale: 1, hasBias: 1 }
  return { ...first, params, inputs: [first.inputs[0], ...constants], output: second.output }
}

/** Scale and shift of one map by channel after another, as new constants. */
function compose(
  graph: Graph,
  first: readonly (number | null)[],
  second: readonly (number | null)[],
  channels: number,
): [number, number] | undefined {
  const [scale1, shift1] = [vector(graph, first[1], channels), vector(graph, first[2], channels)]
  const [scale2, shift2] = [vector(graph, second[1], channels), vector(graph, second[2], channels)]
  if (!scale1 || !shift1 || !scale2 || !shift2) return undefined
  return [
    addConstant(
      graph,
      mapFloats(scale1, (value, c) => value * scale2[c]),
    ),
    addConstant(
      graph,
      mapFloats(shift1, (value, c) => value * scale2[c] + shift2[c]),
    ),
  ]
}
