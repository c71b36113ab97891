/**
 * Which operators may see strings, and the names that a model knows. Strings are places in a table of names (tensor/labels.ts);
 * an operator that computes would take these for numbers, so that only those which move elements, and those that are
 * written for strings, get them.
 */
import type { Tensor } from '../engine/graph.ts'
import { type LowerContext, unsupported } from './lowering.ts'
import { mlDomain, type OnnxModel } from './model.ts'

/** They move elements of one tensor (`Concat`: of several), whatever these are. */
const moving = new Set([
  ...['Identity', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Dropout', 'Transpose', 'Gather', 'GatherElements'],
  ...['GatherND', 'Slice', 'Split', 'Concat', 'Expand', 'Tile'],
])

/** They are written for strings. */
const reading = new Set(['Cast', 'CastLike', 'LabelEncoder', 'OneHotEncoder', 'ArrayFeatureExtractor', 'Shape', 'Size'])

/** @throws PeerError MODEL_UNSUPPORTED where an operator that computes is given strings */
export function checkStrings(context: LowerContext): void {
  const { type } = context.op
  const labelled = context.inputs.filter(input => input?.labels)
  if (labelled.length === 0 || reading.has(type)) return
  if (!moving.has(type)) throw unsupported(context, 'computes with strings')
  if (type === 'Concat' && context.inputs.some(input => input?.labels?.names !== labelled[0]?.labels?.names)) {
    throw unsupported(context, 'joins strings of several kinds')
  }
}

/** An operator's results, with the names of the strings that it moved. */
export function carryStrings({ op, inputs }: LowerContext, results: readonly Tensor[]): Tensor[] {
  const labels = inputs[0]?.labels
  if (!labels || !moving.has(op.type)) return [...results]
  return results.map(result => ({ ...result, labels }))
}

/** Attributes that hold strings which an input may bring. */
const attributes = ['keys_strings', 'cats_strings', 'classes_strings']

const known = new WeakMap<OnnxModel, readonly string[]>()

/** Every string that some operator of the model tells from others: the table of its inputs of strings. */
export function namesOf(model: OnnxModel): readonly string[] {
  const found = known.get(model)
  if (found) return found
  const names = new Set<string>()
  for (const op of model.ops) {
    if (op.domain !== mlDomain) continue
    for (const attribute of attributes) for (const name of op.attributes.strings(attribute) ?? []) names.add(name)
    for (const name of op.attributes.tensor('keys_tensor')?.labels?.names ?? []) names.add(name)
  }
  const list = [...names]
  known.set(model, list)
  return list
}
