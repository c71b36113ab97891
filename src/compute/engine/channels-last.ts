/**
 * The pass that lays images channels last ([batch, pixels, channels] instead of planes) for a backend that asks for it: there a
 * convolution is a product of rows that are read where they lie, and what is done by channel is done to neighbours.
 *
 * Convolutions start it; pooling, elementwise steps, concatenations and what goes by channel pass it on; where a step needs planes a
 * copy turns its input round, once for all who read it. A value with one channel or one pixel lies the same in both.
 *
 * Invariant: what a step computes does not change, but for the order of some sums; inputs and outputs of the graph stay as they were.
 */
import type { KernelParams } from '../kernels/index.ts'
import { reduceOps } from '../kernels/reduce.ts'
import type { HostArray } from '../tensor/dtype.ts'
import { joinAxes, walkRank } from '../tensor/strides.ts'
import { copyParams } from './copy-params.ts'
import type { Graph } from './graph.ts'
import { type Images, type Operand, relayWalk } from './image-walks.ts'
import type { Step, StepOf } from './program.ts'

export function layChannelsLast(graph: Graph): void {
  const layouts = createLayouts(graph)
  const steps = graph.steps
  graph.steps = []
  const copies = new Map<number, number>()
  for (const step of steps) if (step.kernel === 'copy') copies.set(step.output, (copies.get(step.output) ?? 0) + 1)
  for (let at = 0; at < steps.length; at++) {
    const step = steps[at]
    if (step.kernel === 'copy') {
      const together = steps
        .slice(at, at + (copies.get(step.output) ?? 1))
        .filter(other => other.output === step.output)
      relayCopies(layouts, together.filter(isCopy), together.length === copies.get(step.output))
      at += together.length - 1
      continue
    }
    const relaid = relayStep(layouts, step)
    graph.steps.push(relaid ?? byPlanes(layouts, step))
  }
  for (const port of graph.outputs) port.value = layouts.planes(port.value)
}

function isCopy(step: Step): step is StepOf<'copy'> {
  return step.kernel === 'copy'
}

/** Which values lie channels last, and their copies that lie the other way. */
interface Layouts {
  readonly graph: Graph
  /** Undefined: by planes. */
  imagesOf(value: number | null): Images | undefined
  mark(value: number, images: Images): void
  /** The value as it lies by planes. */
  planes(value: number): number
  /** The value as it lies channels last. */
  last(value: number, images: Images): number
}

function createLayouts(graph: Graph): Layouts {
  const laid = new Map<number, Images>()
  const turned = new Map<string, number>()
  const turn = (value: number, dims: readonly [number, number, number], name: string): number => {
    const key = `${value}: ${dims}`
    const known = turned.get(key)
    if (known !== undefined) return known
    const { elements, constant, integer } = graph.values[value]
    const [outer, rows, columns] = dims
    const made = graph.values.push({
      dtype: 'float32',
      elements,
      constant: constant && transposed(constant, dims),
      integer,
    })
    turned.set(key, made - 1)
    if (!constant) {
      // y[outer, columns, rows] = x[outer, rows, columns]
      const from = { offset: 0, strides: [rows * columns, 1, columns] }
      const to = { offset: 0, strides: [rows * columns, rows, 1] }
      const params = copyParams([outer, columns, rows], from, to)
      graph.steps.push({ kernel: 'copy', name, params, inputs: [value], output: made - 1 })
    }
    return made - 1
  }
  const alike = (images: Images) => images.channels === 1 || images.area === 1
  const layouts: Layouts = {
    graph,
    imagesOf: value => (value === null ? undefined : laid.get(value)),
    mark(value, images) {
      if (!alike(images)) laid.set(value, images)
    },
    planes(value) {
      const images = laid.get(value)
      return images ? turn(value, [images.batch, images.area, images.channels], 'to planes') : value
    },
    last(value, images) {
      const known = laid.get(value)
      if (known && same(known, images)) return value
      const flat = layouts.planes(value)
      if (alike(images)) return flat
      return turn(flat, [images.batch, images.channels, images.area], 'to channels last')
    },
  }
  return layouts
}

function transposed(data: HostArray, [outer, rows, columns]: readonly [number, number, number]): HostArray {
  const result = data.slice()
  for (let o = 0, at = 0; o < outer; o++)
    for (let j = 0; j < columns; j++)
      for (let i = 0; i < rows; i++, at++) result[at] = data[(o * rows + i) * columns + j]
  return result
}

function same(a: Images, b: Images): boolean {
  return a.batch === b.batch && a.channels === b.channels && a.area === b.area
}

function byPlanes(layouts: Layouts, step: Step): Step {
  return { ...step, inputs: step.inputs.map(input => (input === null ? null : layouts.planes(input))) }
}

/** The step on images that lie channels last, or undefined where it has no such form. */
function relayStep(layouts: Layouts, step: Step): Step | undefined {
  switch (step.kernel) {
    case 'conv2d':
      return relayConv(layouts, step)
    case 'image-to-tensor': {
      const { batch, channels, area } = step.params
      layouts.mark(step.output, { batch, channels, area })
      return { ...step, params: { batch: batch * area, channels, area: 1 } }
    }
    case 'binary':
      return relayBinary(layouts, step)
    default: {
      const images = layouts.imagesOf(step.inputs[0])
      return images && relayImages(layouts, step, images)
    }
  }
}

function relayConv(layouts: Layouts, step: StepOf<'conv2d'>): Step {
  const p = step.params
  const from = { batch: p.batch, channels: p.channels, area: p.height * p.width }
  const to = { batch: p.batch, channels: p.filters, area: p.outHeight * p.outWidth }
  const [x, w, bias, residual] = step.inputs
  const image = x === null ? null : layouts.last(x, from)
  const added = residual === null ? null : layouts.last(residual, to)
  const filters = w === null ? null : layouts.planes(w)
  layouts.mark(step.output, to)
  return { ...step, kernel: 'conv2d-channels-last', inputs: [image, filters, bias, added] }
}

/** Steps whose first operand lies channels last. */
function relayImages(layouts: Layouts, step: Step, images: Images): Step | undefined {
  const { batch, channels, area } = images
  switch (step.kernel) {
    case 'unary':
      layouts.mark(step.output, images)
      return step
    case 'affine':
      if (!byChannel(step.params, images)) return undefined
      layouts.mark(step.output, images)
      return { ...step, params: { ...step.params, outer: batch * area, inner: 1 } }
    case 'lrn':
      if (!byChannel(step.params, images)) return undefined
      layouts.mark(step.output, images)
      return { ...step, params: { ...step.params, outer: batch * area, inner: 1 } }
    case 'softmax': {
      const { outer, axis, inner } = step.params
      if (outer !== batch || axis !== channels || inner !== area) return undefined
      layouts.mark(step.output, images)
      return { ...step, params: { ...step.params, outer: batch * area, inner: 1 } }
    }
    case 'pool2d': {
      const { planes, ...params } = step.params
      if (planes !== batch * channels || params.height * params.width !== area) return undefined
      layouts.mark(step.output, { batch, channels, area: params.outHeight * params.outWidth })
      return { ...step, kernel: 'pool2d-channels-last', params: { batch, channels, ...params } }
    }
    case 'global-average-pool': {
      if (step.params.planes !== batch * channels || step.params.area !== area) return undefined
      const params = { outer: batch, axis: area, inner: channels, op: reduceOps.mean, selectLast: 0 }
      return { ...step, kernel: 'reduce', params }
    }
    case 'reduce': {
      const params = relayReduce(step.params, images)
      return params && { ...step, params }
    }
    case 'resample-axis': {
      const { outer, size, outSize, inner } = step.params
      const lines = outer / (batch * channels)
      if (!Number.isInteger(lines) || lines * size * inner !== area) return undefined
      layouts.mark(step.output, { batch, channels, area: lines * outSize * inner })
      return { ...step, params: { ...step.params, outer: batch * lines, inner: inner * channels } }
    }
    default:
      return undefined
  }
}

function byChannel(params: { outer: number; channels: number; inner: number }, images: Images): boolean {
  return params.outer === images.batch && params.channels === images.channels && params.inner === images.area
}

/** A reduction over all pixels, all channels or both; what is left has one channel or one pixel. */
function relayReduce(params: KernelParams['reduce'], { batch, channels, area }: Images) {
  const { outer, axis, inner, op } = params
  if (outer === batch * channels && axis === area && inner === 1) {
    return { ...params, outer: batch, axis: area, inner: channels }
  }
  if (outer === batch && axis === channels && inner === area) return { ...params, outer: batch * area, inner: 1 }
  const places = op === reduceOps.argMax || op === reduceOps.argMin
  return outer === batch && axis === channels * area && !places ? params : undefined
}

const six = ([a, b, c, d, e, f]: readonly number[]) => [a, b, c, d, e, f] as const

/** f(a, b) where one of them is walked from end to end and lies channels last: the result then lies so too. */
function relayBinary(layouts: Layouts, step: StepOf<'binary'>): Step | undefined {
  const p = step.params
  const dims = [p.dim0, p.dim1, p.dim2, p.dim3, p.dim4, p.dim5]
  const strides = [
    [p.strideA0, p.strideA1, p.strideA2, p.strideA3, p.strideA4, p.strideA5],
    [p.strideB0, p.strideB1, p.strideB2, p.strideB3, p.strideB4, p.strideB5],
  ]
  const dense = denseStrides(dims)
  const whole = strides.map(list => list.every((stride, axis) => dims[axis] === 1 || stride === dense[axis]))
  const leader = step.inputs.findIndex((input, operand) => whole[operand] && layouts.imagesOf(input))
  const images = layouts.imagesOf(step.inputs[leader] ?? null)
  if (!images || images.batch * images.channels * images.area !== layouts.graph.values[step.output].elements) {
    return undefined
  }
  const inputs = step.inputs.map((input, operand) => {
    if (input === null) return null
    return whole[operand] ? layouts.last(input, images) : layouts.planes(input)
  })
  const operands: Operand[] = strides.map((list, operand) => ({
    strides: list,
    offset: 0,
    images: whole[operand] ? images : undefined,
  }))
  const relaid = relayWalk(dims, [...operands, { strides: dense, offset: 0, images }])
  if (!relaid) return undefined
  // The kernel writes one element after another: the walk goes in that order.
  const [a, b, y] = relaid.operands
  const order = [...relaid.dims.keys()].filter(axis => relaid.dims[axis] > 1)
  order.sort((i, j) => y.strides[j] - y.strides[i])
  const pick = (list: readonly number[]) => order.map(axis => list[axis])
  const walk = joinAxes(pick(relaid.dims), [pick(a.strides), pick(b.strides)])
  if (walk.dims.length > walkRank) return undefined
  const padded = (list: readonly number[], fill: number) =>
    six([...new Array<number>(walkRank - list.length).fill(fill), ...list])
  const [dim0, dim1, dim2, dim3, dim4, dim5] = padded(walk.dims, 1)
  const [a0, a1, a2, a3, a4, a5] = padded(walk.strides[0], 0)
  const [b0, b1, b2, b3, b4, b5] = padded(walk.strides[1], 0)
  layouts.mark(step.output, images)
  const params = {
    ...{ ...p, dim0, dim1, dim2, dim3, dim4, dim5 },
    ...{ strideA0: a0, strideA1: a1, strideA2: a2, strideA3: a3, strideA4: a4, strideA5: a5 },
    ...{ strideB0: b0, strideB1: b1, strideB2: b2, strideB3: b3, strideB4: b4, strideB5: b5 },
  }
  return { ...step, params, inputs }
}

function denseStrides(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length).fill(1)
  for (let axis = dims.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1] * dims[axis + 1]
  return strides
}

/** All copies into one value, whose result lies channels last if every one of them keeps its pixels in order. */
function relayCopies(layouts: Layouts, copies: readonly StepOf<'copy'>[], complete: boolean): void {
  const { graph } = layouts
  const [{ output }] = copies
  const first = copies.map(step => layouts.imagesOf(step.inputs[0])).find(images => images)
  if (first && complete) {
    const channels = graph.values[output].elements / (first.batch * first.area)
    const images = { ...first, channels }
    const relaid = Number.isInteger(channels) ? copies.map(step => relayCopy(layouts, step, images)) : []
    if (relaid.length > 0 && relaid.every(step => step !== undefined)) {
      graph.steps.push(...relaid)
      layouts.mark(output, images)
      return
    }
  }
  for (const step of copies) graph.steps.push(relayCopy(layouts, step) ?? byPlanes(layouts, step))
}

/** @param target of the result; undefined: by planes */
function relayCopy(layouts: Layouts, step: StepOf<'copy'>, target?: Images): Step | undefined {
  const p = step.params
  const [value] = step.inputs
  if (value === null) return undefined
  const { elements } = layouts.graph.values[value]
  const channels = target && elements / (target.batch * target.area)
  const images = target && channels && Number.isInteger(channels) ? { ...target, channels } : layouts.imagesOf(value)
  if (!images) return undefined
  const dims = [p.dim0, p.dim1, p.dim2, p.dim3, p.dim4, p.dim5]
  const from = [p.strideX0, p.strideX1, p.strideX2, p.strideX3, p.strideX4, p.strideX5]
  const to = [p.strideY0, p.strideY1, p.strideY2, p.strideY3, p.strideY4, p.strideY5]
  const relaid = relayWalk(dims, [
    { strides: from, offset: p.offsetX, images },
    { strides: to, offset: p.offsetY, images: target },
  ])
  if (!relaid) return undefined
  const [x, y] = relaid.operands
  const keeps = relaid.dims.every((dim, axis) => {
    const pixels = x.before[axis] < images.area || y.before[axis] < images.area
    return dim === 1 || !pixels || x.before[axis] === y.before[axis]
  })
  if (target && !keeps) return undefined
  const order = [...relaid.dims.keys()].sort((i, j) => y.strides[j] - y.strides[i])
  const pick = (list: readonly number[]) => order.map(axis => list[axis])
  const walk = pick(relaid.dims)
  if (joinAxes(walk, [pick(x.strides), pick(y.strides)]).dims.length > walkRank) return undefined
  const params = copyParams(
    walk,
    { offset: x.offset, strides: pick(x.strides) },
    { offset: y.offset, strides: pick(y.strides) },
  )
  const source = same(layouts.imagesOf(value) ?? images, images) ? layouts.last(value, images) : undefined
  return source === undefined ? undefined : { ...step, params, inputs: [source] }
}
