/**
 * Resize (opset 10 to 19) and Upsample (7, 9) -> resample-axis: each axis whose length or place changes is one weighted sum,
 * by tables that are made here.
 */
import type { Tensor } from '../../engine/graph.ts'
import { checkShape, normalAxis, shapeText } from '../../tensor/shape.ts'
import {
  claimTable,
  floats,
  inputAt,
  knownValues,
  type LowerContext,
  type Lowering,
  mismatch,
  opError,
} from '../lowering.ts'
import { linesOf } from './emit.ts'

/** One axis: from where each output element is read, in elements of the input. */
interface Axis {
  input: number
  output: number
  /** Output over input, as given; not output / input where that was rounded. */
  scale: number
  /** The output's length before it was rounded, by which the corners are aligned. */
  length: number
  roiStart: number
  roiEnd: number
}

interface Options {
  mode: string
  transform: string
  nearest: string
  cubic: number
  excludeOutside: boolean
  antialias: boolean
}

/** x of the input for element i of the output. */
function original(context: LowerContext, transform: string, i: number, axis: Axis): number {
  const { input, output, scale, length, roiStart, roiEnd } = axis
  switch (transform) {
    case 'half_pixel':
      return (i + 0.5) / scale - 0.5
    case 'half_pixel_symmetric': {
      // What rounding the size took away is shared by both ends.
      const adjustment = output / length
      return (input / 2) * (1 - adjustment) + (i + 0.5) / scale - 0.5
    }
    case 'pytorch_half_pixel':
      return length > 1 ? (i + 0.5) / scale - 0.5 : 0
    case 'align_corners':
      return length === 1 ? 0 : (i * (input - 1)) / (length - 1)
    case 'asymmetric':
      return i / scale
    case 'tf_half_pixel_for_nn':
      return (i + 0.5) / scale
    case 'tf_crop_and_resize':
      return length > 1
        ? roiStart * (input - 1) + (i * (roiEnd - roiStart) * (input - 1)) / (length - 1)
        : 0.5 * (roiStart + roiEnd) * (input - 1)
    default:
      throw opError(context, `transforms coordinates by "${transform}", which ONNX does not know; check the model file`)
  }
}

function nearestOf(context: LowerContext, mode: string, x: number): number {
  switch (mode) {
    case 'round_prefer_floor':
    case '':
      return Math.ceil(x - 0.5)
    case 'round_prefer_ceil':
      return Math.floor(x + 0.5)
    case 'floor':
      return Math.floor(x)
    case 'ceil':
      return Math.ceil(x)
    default:
      throw opError(context, `rounds by "${mode}", which ONNX does not know; check the model file`)
  }
}

/** Keys' cubic with parameter a. */
function cubicWeight(distance: number, a: number): number {
  const d = Math.abs(distance)
  if (d < 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1
  return d < 2 ? a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a : 0
}

/** Taps of one output element: places (maybe outside) and weights. */
function tapsAt(context: LowerContext, options: Options, axis: Axis, x: number): [place: number, weight: number][] {
  if (options.mode === 'nearest') return [[nearestOf(context, options.nearest, x), 1]]
  const cubic = options.mode === 'cubic'
  const weight = cubic ? (d: number) => cubicWeight(d, options.cubic) : (d: number) => Math.max(0, 1 - Math.abs(d))
  // Antialiasing widens the filter when the picture shrinks.
  const shrink = options.antialias ? Math.min(1, axis.scale) : 1
  const reach = (cubic ? 2 : 1) / shrink
  const first = shrink < 1 ? Math.ceil(x - reach) : Math.floor(x) - (cubic ? 1 : 0)
  const last = shrink < 1 ? Math.floor(x + reach) : Math.floor(x) + (cubic ? 2 : 1)
  const taps: [number, number][] = []
  for (let place = first; place <= last; place++) taps.push([place, weight((place - x) * shrink)])
  if (!options.excludeOutside && shrink === 1) return taps
  const kept = options.excludeOutside ? taps.filter(([place]) => place >= 0 && place < axis.input) : taps
  const sum = kept.reduce((total, [, w]) => total + w, 0)
  return kept.map(([place, w]) => [place, sum === 0 ? 0 : w / sum])
}

function resampleAxis(
  context: LowerContext,
  x: Tensor,
  at: number,
  axis: Axis,
  options: Options,
  fill: number,
): Tensor {
  claimTable(context, axis.output)
  const rows = Array.from({ length: axis.output }, (_, i) => {
    const place = original(context, options.transform, i, axis)
    const outside = options.transform === 'tf_crop_and_resize' && (place < 0 || place > axis.input - 1)
    return outside ? undefined : tapsAt(context, options, axis, place)
  })
  const taps = Math.max(1, ...rows.map(row => row?.length ?? 1))
  claimTable(context, 2 * taps * axis.output)
  const indices = new Float32Array(axis.output * taps)
  const weights = new Float32Array(axis.output * taps)
  rows.forEach((row, i) => {
    if (!row) indices[i * taps] = -1
    row?.forEach(([place, weight], t) => {
      indices[i * taps + t] = Math.min(Math.max(place, 0), axis.input - 1)
      weights[i * taps + t] = weight
    })
  })
  const { outer, inner } = linesOf(x.dims, at)
  const params = { outer, size: axis.input, inner, outSize: axis.output, taps, fill }
  const dims = x.dims.map((dim, i) => (i === at ? axis.output : dim))
  const tables = [indices, weights].map(table => floats(context, table, [axis.output, taps]))
  return context.graph.emit('resample-axis', context.op.name, params, [x, ...tables], dims)
}

function resample(context: LowerContext, x: Tensor, axes: readonly Axis[], options: Options, fill: number): Tensor {
  checkShape(
    axes.map(axis => axis.output),
    `the result of "${context.op.name}"`,
  )
  if (!['nearest', 'linear', 'cubic'].includes(options.mode)) {
    throw opError(context, `has the mode "${options.mode}", which ONNX does not know; check the model file`)
  }
  let result = x
  axes.forEach((axis, at) => {
    const same = axis.input === axis.output && axis.scale === 1 && axis.roiStart === 0 && axis.roiEnd === 1
    if (same || result.dims.includes(0)) return
    if (axis.input === 0) throw mismatch(context, `an axis ${at} of at least`, '1', '0')
    result = resampleAxis(context, result, at, axis, options, fill)
  })
  return axes.some(axis => axis.output === 0) ? { ...result, dims: axes.map(axis => axis.output) } : result
}

function axesFor(
  x: Tensor,
  chosen: readonly number[],
  make: (input: number, i: number) => Pick<Axis, 'output' | 'scale' | 'length'>,
  roi: readonly number[],
): Axis[] {
  return x.dims.map((input, axis) => {
    const i = chosen.indexOf(axis)
    if (i < 0) return { input, output: input, scale: 1, length: input, roiStart: 0, roiEnd: 1 }
    return { input, ...make(input, i), roiStart: roi[i] ?? 0, roiEnd: roi[i + chosen.length] ?? 1 }
  })
}

/** In float32 the product of a dim and a scale may fall just below a whole number; scales come as float32. */
function scaledSize(length: number): number {
  return Math.floor(Math.fround(length))
}

function checkScales(context: LowerContext, scales: readonly number[], count: number): void {
  if (scales.length !== count || !scales.every(scale => scale > 0 && Number.isFinite(scale))) {
    throw mismatch(context, 'scales as', `${count} numbers above 0`, shapeText(scales))
  }
}

export const resize: Lowering = context => {
  const { op, opset } = context
  const { attributes } = op
  const x = inputAt(context, 0)
  const rank = x.dims.length
  const options: Options = {
    mode: attributes.string('mode', 'nearest'),
    transform: opset < 11 ? 'asymmetric' : attributes.string('coordinate_transformation_mode', 'half_pixel'),
    nearest: opset < 11 ? 'floor' : attributes.string('nearest_mode', 'round_prefer_floor'),
    cubic: attributes.float('cubic_coeff_a', -0.75),
    excludeOutside: attributes.int('exclude_outside', 0) !== 0,
    antialias: attributes.int('antialias', 0) !== 0,
  }
  const chosen = (attributes.ints('axes') ?? x.dims.map((_, axis) => axis)).map(axis => normalAxis(axis, rank, op.name))
  const crops = options.transform === 'tf_crop_and_resize'
  const roi = crops ? (knownValues(context, 1, 'region') ?? []) : []
  const scales = knownValues(context, opset < 11 ? 1 : 2, 'scales')
  const sizes = opset < 11 ? undefined : knownValues(context, 3, 'sizes')
  const fill = attributes.float('extrapolation_value', 0)
  if (sizes && sizes.length > 0) {
    const policy = attributes.string('keep_aspect_ratio_policy', 'stretch')
    return [resample(context, x, sizedAxes(context, x, chosen, sizes, policy, roi), options, fill)]
  }
  if (!scales) throw opError(context, 'says neither scales nor sizes; check the model file')
  checkScales(context, scales, chosen.length)
  const make = (input: number, i: number) => {
    const part = crops ? (roi[i + chosen.length] ?? 1) - (roi[i] ?? 0) : 1
    const length = input * part * scales[i]
    return { output: scaledSize(length), scale: scales[i], length }
  }
  return [resample(context, x, axesFor(x, chosen, make, roi), options, fill)]
}

function sizedAxes(
  context: LowerContext,
  x: Tensor,
  chosen: readonly number[],
  sizes: readonly number[],
  policy: string,
  roi: readonly number[],
): Axis[] {
  if (sizes.length !== chosen.length || sizes.some(size => !Number.isInteger(size) || size < 0)) {
    throw mismatch(context, 'sizes as', `${chosen.length} whole numbers`, shapeText(sizes))
  }
  if (policy === 'stretch') {
    return axesFor(x, chosen, (input, i) => ({ output: sizes[i], scale: sizes[i] / input, length: sizes[i] }), roi)
  }
  if (policy !== 'not_larger' && policy !== 'not_smaller') {
    throw opError(context, `keeps the aspect ratio by "${policy}", which ONNX does not know; check the model file`)
  }
  const ratios = chosen.map((axis, i) => sizes[i] / x.dims[axis])
  const scale = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios)
  // Halves go up, as the specification's round_int says.
  return axesFor(x, chosen, input => ({ output: Math.floor(scale * input + 0.5), scale, length: scale * input }), roi)
}

/** Upsample: scales by attribute in opset 7, by input in 9; no offset of half a pixel. */
export const upsample: Lowering = context => {
  const { attributes } = context.op
  const x = inputAt(context, 0)
  const scales = context.opset < 9 ? attributes.floats('scales') : knownValues(context, 1, 'scales')
  if (!scales) throw opError(context, 'does not say its scales; check the model file')
  checkScales(context, scales, x.dims.length)
  const mode = attributes.string('mode', 'nearest')
  const options: Options = {
    ...{ mode: mode === 'bilinear' ? 'linear' : mode, transform: 'asymmetric', nearest: 'floor' },
    ...{ cubic: -0.75, excludeOutside: false, antialias: false },
  }
  const all = x.dims.map((_, axis) => axis)
  const make = (input: number, i: number) => {
    const length = input * scales[i]
    return { output: scaledSize(length), scale: scales[i], length }
  }
  return [resample(context, x, axesFor(x, all, make, []), options, 0)]
}
