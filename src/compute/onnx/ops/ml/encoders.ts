/** LabelEncoder (opsets 1, 2 and 4) and OneHotEncoder -> tables by key, and comparisons with the categories. */
import type { Tensor } from '../../../engine/graph.ts'
import type { Constant } from '../../../tensor/constant.ts'
import { type ElementType, isFloat } from '../../../tensor/element-type.ts'
import { floats, inputAt, type LowerContext, type Lowering, mismatch, opError, reshaped } from '../../lowering.ts'
import { emitBinary, emitReduce, emitUnary, emitWhere, emitWith } from '../emit.ts'
import { emitByName, emitLookup } from './lookup.ts'

/** Keys or values of a LabelEncoder: strings, or numbers of a type. */
type Column = { strings: readonly string[] } | { numbers: ArrayLike<number>; type: ElementType }

function columnOf(context: LowerContext, role: 'keys' | 'values'): Column | undefined {
  const { attributes } = context.op
  const tensor = attributes.tensor(`${role}_tensor`)
  if (tensor) return columnOfTensor(tensor)
  if (attributes.has(`${role}_strings`)) return { strings: attributes.strings(`${role}_strings`) ?? [] }
  const integers = attributes.ints(`${role}_int64s`)
  if (attributes.has(`${role}_int64s`) && integers) return { numbers: integers, type: 'int64' }
  const list = attributes.floats(`${role}_floats`)
  return attributes.has(`${role}_floats`) && list ? { numbers: list, type: 'float32' } : undefined
}

function columnOfTensor({ data, labels, type }: Constant): Column {
  return labels ? { strings: Array.from(data, place => labels.names[place]) } : { numbers: data, type }
}

const lengthOf = (column: Column) => ('strings' in column ? column.strings.length : column.numbers.length)

/** Opset 1: strings to their places in `classes_strings`, or places to strings. */
function oldColumns(context: LowerContext, toStrings: boolean): [Column, Column] {
  const strings = context.op.attributes.strings('classes_strings') ?? []
  const places: Column = { numbers: strings.map((_, place) => place), type: 'int64' }
  return toStrings ? [places, { strings }] : [{ strings }, places]
}

/** What a key that is not there becomes. */
function fallbackOf(context: LowerContext, values: Column): number | string {
  const { attributes } = context.op
  const tensor = attributes.tensor('default_tensor')
  if ('strings' in values)
    return tensor?.labels?.names[tensor.data[0]] ?? attributes.string('default_string', '_Unused')
  if (tensor) return tensor.data[0]
  return isFloat(values.type) ? attributes.float('default_float', -0) : attributes.int('default_int64', -1)
}

export const labelEncoder: Lowering = context => {
  const x = inputAt(context, 0)
  const [keys, values] = context.op.attributes.has('classes_strings')
    ? oldColumns(context, x.labels === undefined)
    : [columnOf(context, 'keys'), columnOf(context, 'values')]
  if (!keys || !values || lengthOf(keys) !== lengthOf(values)) {
    throw opError(context, 'does not pair its keys with values; check the model file')
  }
  const fallback = fallbackOf(context, values)
  if (!('strings' in values))
    return [{ ...encode(context, x, keys, values.numbers, Number(fallback)), type: values.type }]
  const names = [...new Set([...values.strings, String(fallback)])]
  const places = values.strings.map(name => names.indexOf(name))
  const encoded = encode(context, x, keys, places, names.indexOf(String(fallback)))
  return [{ ...encoded, type: 'int64', labels: { names, open: false } }]
}

function encode(context: LowerContext, x: Tensor, keys: Column, values: ArrayLike<number>, fallback: number): Tensor {
  if (Array.from(values).some(Number.isNaN))
    throw opError(context, 'has a value that is no number; check the model file')
  if (x.labels && 'strings' in keys) {
    const pairs = keys.strings.map((key, i): [string, number] => [key, values[i]])
    // Of equal keys the first.
    return emitByName(context, x, x.labels.names, new Map(pairs.reverse()), fallback)
  }
  if (x.labels || 'strings' in keys)
    throw mismatch(context, 'keys of the kind of its input:', 'strings or numbers', 'the other')
  const pairs = Array.from(keys.numbers, (key, i): [number, number] => [key, values[i]])
  return emitLookup(context, x, { pairs, fallback })
}

/** A category that is not there is a row of zeros; with `zeros` 0, where onnxruntime stops, a row of NaN. */
export const oneHotEncoder: Lowering = context => {
  const { attributes } = context.op
  const x = inputAt(context, 0)
  const strings = attributes.strings('cats_strings') ?? []
  const count = strings.length || (attributes.ints('cats_int64s') ?? []).length
  if (count === 0) throw opError(context, 'names no categories; check the model file')
  const given = strings.length > 0 ? placesByName(context, x, strings) : wholes(context, x)
  const list = strings.length > 0 ? strings.map((_, place) => place) : (attributes.ints('cats_int64s') ?? [])
  const texts = strings.length > 0 ? strings : list
  // Of equal categories only the last is ever hot.
  const categories = list.map((category, i) => (texts.lastIndexOf(texts[i] as never) === i ? category : Number.NaN))
  const column = reshaped(context, given, [...x.dims, 1])
  const hot = emitBinary(context, 'equal', column, floats(context, categories), 'float32')
  if (attributes.int('zeros', 1) !== 0) return [hot]
  const found = emitReduce(context, hot, 'sum', [x.dims.length], true)
  return [emitWhere(context, found, hot, floats(context, [Number.NaN], []))]
}

function placesByName(context: LowerContext, x: Tensor, strings: readonly string[]): Tensor {
  if (!x.labels) throw mismatch(context, 'for its categories', 'strings', x.type)
  const places = new Map(strings.map((text, place) => [text, place]))
  return emitByName(context, x, x.labels.names, places, -1)
}

function wholes(context: LowerContext, x: Tensor): Tensor {
  if (x.labels) throw mismatch(context, 'for its categories', 'numbers', 'strings')
  return isFloat(x.type)
    ? emitUnary(context, x, 'truncate', 0, 0, 'float32')
    : emitWith(context, 'add', x, 0, 'float32')
}
