/**
 * Operators that prepare features: Scaler, Normalizer, Imputer, Binarizer, FeatureVectorizer, ArrayFeatureExtractor; and ZipMap,
 * which names a classifier's scores.
 */
import type { Tensor } from '../../../engine/graph.ts'
import { isFloat } from '../../../tensor/element-type.ts'
import { elementsOf, shapeText } from '../../../tensor/shape.ts'
import {
  floats,
  inputAt,
  inputOfRank,
  integers,
  type LowerContext,
  type Lowering,
  mismatch,
  opError,
  reshaped,
} from '../../lowering.ts'
import { emitConcat } from '../concat.ts'
import { emitBinary, emitCast, emitReduce, emitUnary, emitWhere, emitWith, linesOf } from '../emit.ts'
import { emitPad } from '../expand.ts'
import { wordOf } from './rows.ts'

/** The features of a row: the second axis, or the only one. */
const featuresOf = (x: Tensor) => x.dims[x.dims.length === 1 ? 0 : 1]

/** A list by feature, or one for all, as what broadcasts to x. */
function byFeature(context: LowerContext, x: Tensor, name: string, list: readonly number[]): Tensor {
  const wanted = featuresOf(x)
  if (list.length !== 1 && list.length !== wanted) {
    throw mismatch(context, `its ${name} as`, `1 or ${wanted} values`, `${list.length}`)
  }
  const dims = [list.length, ...new Array<number>(Math.max(0, x.dims.length - 2)).fill(1)]
  return isFloat(x.type) ? floats(context, list, dims) : { ...integers(context, list, dims), type: x.type }
}

/** (x - offset) * scale, in two steps, so that a large offset takes no bits of a small difference. */
export const scaler: Lowering = context => {
  const { attributes } = context.op
  const x = emitCast(context, inputOfRank(context, 0, 1), 'float32')
  const moved = emitBinary(context, 'sub', x, byFeature(context, x, 'offset', attributes.floats('offset') ?? [0]))
  return [emitBinary(context, 'mul', moved, byFeature(context, x, 'scale', attributes.floats('scale') ?? [1]))]
}

const norms = { MAX: 'max', L1: 'l1', L2: 'l2' } as const

/** Each row by its norm; a row whose norm is 0 stays as it is. */
export const normalizer: Lowering = context => {
  const norm = wordOf(context, 'norm', ['MAX', 'L1', 'L2'], 'MAX')
  const x = emitCast(context, inputOfRank(context, 0, 1, 2), 'float32')
  const size = emitReduce(context, x, norms[norm], [x.dims.length - 1], true)
  const divisor = emitWhere(context, size, size, floats(context, [1], []))
  return [emitBinary(context, 'div', x, divisor)]
}

/** What equals the replaced value (NaN equals NaN) becomes the imputed one of its feature. */
export const imputer: Lowering = context => {
  const { attributes } = context.op
  const x = inputOfRank(context, 0, 1)
  const whole = !isFloat(x.type)
  const imputed = whole ? attributes.ints('imputed_value_int64s') : attributes.floats('imputed_value_floats')
  if (!imputed?.length) throw opError(context, `lacks imputed values for its input of ${x.type}; check the model file`)
  const replaced = whole ? attributes.int('replaced_value_int64', 0) : attributes.float('replaced_value_float', 0)
  const missing = Number.isNaN(replaced)
    ? emitUnary(context, x, 'isNaN', 0, 0, 'bool')
    : emitWith(context, 'equal', x, replaced, 'bool')
  const list = imputed.length === featuresOf(x) ? imputed : imputed.slice(0, 1)
  return [emitWhere(context, missing, byFeature(context, x, 'imputed values', list), x)]
}

export const binarizer: Lowering = context => {
  const x = inputAt(context, 0)
  return [emitWith(context, 'greater', x, context.op.attributes.float('threshold', 0))]
}

/** The inputs side by side, each cut or filled up with zeros to its width. */
export const featureVectorizer: Lowering = context => {
  const parts = context.op.inputs.map((_, i) => {
    const x = emitCast(context, inputOfRank(context, i, 1), 'float32')
    const [rows, ...rest] = x.dims.length === 1 ? [1, ...x.dims] : x.dims
    return reshaped(context, x, [rows, elementsOf(rest)])
  })
  const widths = context.op.attributes.ints('inputdimensions') ?? parts.map(({ dims }) => dims[1])
  const odd = parts.find(({ dims }) => dims[0] !== parts[0].dims[0])
  if (parts.length === 0 || widths.length !== parts.length || widths.some(width => !(width >= 0)) || odd) {
    const got = parts.map(({ dims }) => shapeText(dims)).join(' ')
    throw mismatch(context, `rows for the widths ${shapeText(widths)},`, 'one input each, of as many rows', got)
  }
  const fitted = parts.map((part, i) => emitPad(context, part, [0, 0], [0, widths[i] - part.dims[1]], 0))
  return [emitConcat(context, fitted, 1)]
}

/** Elements along the last axis, by places; a vector becomes one row. */
export const arrayFeatureExtractor: Lowering = context => {
  const x = inputOfRank(context, 0, 1)
  const places = inputAt(context, 1)
  const last = x.dims.length - 1
  const size = x.dims[last]
  const count = elementsOf(places.dims)
  const bad = context.graph.known(places)?.find(place => !(place >= 0 && place < size))
  if (bad !== undefined || count === 0) throw mismatch(context, 'places within', `[0, ${size - 1}]`, `${bad ?? 'none'}`)
  const dims = last === 0 ? [1, count] : [...x.dims.slice(0, last), count]
  const params = { ...linesOf(x.dims, last), count }
  const taken = context.graph.emit('gather', context.op.name, params, [x, places], dims)
  return [{ ...taken, labels: x.labels }]
}

/** The scores as they are, each column with its name. */
export const zipMap: Lowering = context => {
  const { attributes } = context.op
  const x = inputOfRank(context, 0, 1, 2)
  const strings = attributes.strings('classlabels_strings') ?? []
  const columns = strings.length > 0 ? strings : (attributes.ints('classlabels_int64s') ?? []).map(String)
  const width = x.dims[x.dims.length - 1]
  if (columns.length !== width) throw mismatch(context, 'labels for its scores', `${width}`, `${columns.length}`)
  return [{ ...reshaped(context, x, [elementsOf(x.dims) / width, width]), columns }]
}
