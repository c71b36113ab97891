/** Gather, GatherElements, GatherND, ScatterElements (and its old name Scatter), ScatterND -> the kernels of those names. */
import type { Tensor } from '../../engine/graph.ts'
import { scatterReductions } from '../../kernels/scatter-elements.ts'
import { elementsOf, normalAxis, type Shape, sameShape, shapeText } from '../../tensor/shape.ts'
import { inputAt, inputOfRank, type LowerContext, type Lowering, mismatch, opError, unsupported } from '../lowering.ts'
import { linesOf } from './emit.ts'

/** Indices that are known are checked before anything runs; at run time one outside gives NaN. */
function checkIndices(context: LowerContext, indices: Tensor, dim: number): void {
  const bad = context.graph.known(indices)?.find(index => !(index >= -dim && index < dim))
  if (bad !== undefined) throw mismatch(context, 'indices within', `[${-dim}, ${dim - 1}]`, `${bad}`)
}

export const gather: Lowering = context => {
  const x = inputOfRank(context, 0, 1)
  const indices = inputAt(context, 1)
  const axis = normalAxis(context.op.attributes.int('axis', 0), x.dims.length, context.op.name)
  checkIndices(context, indices, x.dims[axis])
  const dims = [...x.dims.slice(0, axis), ...indices.dims, ...x.dims.slice(axis + 1)]
  const params = { ...linesOf(x.dims, axis), count: elementsOf(indices.dims) }
  return [context.graph.emit('gather', context.op.name, params, [x, indices], dims)]
}

/** Rank of the kernels that choose elements one by one. */
const elementRank = 6

/** dims and index dims, padded in front to six; where there are more, leading axes that agree are one. */
function elementParams(context: LowerContext, dims: Shape, indices: Shape, axis: number) {
  if (dims.length !== indices.length) {
    throw mismatch(context, 'indices of rank', `${dims.length}`, shapeText(indices))
  }
  if (dims.some((dim, i) => i !== axis && indices[i] > dim)) {
    throw mismatch(context, 'indices no larger than', shapeText(dims), shapeText(indices))
  }
  let [d, n, at] = [[...dims], [...indices], axis]
  while (d.length > elementRank) {
    const i = d.findIndex(
      (dim, k) => k + 1 < d.length && k !== at && k + 1 !== at && n[k] === dim && n[k + 1] === d[k + 1],
    )
    if (i < 0) throw unsupported(context, `walks ${d.length} separate axes`)
    d = [...d.slice(0, i), d[i] * d[i + 1], ...d.slice(i + 2)]
    n = [...n.slice(0, i), n[i] * n[i + 1], ...n.slice(i + 2)]
    if (at > i) at--
  }
  const missing = elementRank - d.length
  const [dim0, dim1, dim2, dim3, dim4, dim5] = [...new Array<number>(missing).fill(1), ...d]
  const [index0, index1, index2, index3, index4, index5] = [...new Array<number>(missing).fill(1), ...n]
  const sizes = { dim0, dim1, dim2, dim3, dim4, dim5 }
  return { ...sizes, ...{ index0, index1, index2, index3, index4, index5 }, axis: at + missing }
}

export const gatherElements: Lowering = context => {
  const x = inputOfRank(context, 0, 1)
  const indices = inputAt(context, 1)
  const axis = normalAxis(context.op.attributes.int('axis', 0), x.dims.length, context.op.name)
  checkIndices(context, indices, x.dims[axis])
  const params = elementParams(context, x.dims, indices.dims, axis)
  return [context.graph.emit('gather-elements', context.op.name, params, [x, indices], indices.dims)]
}

function reductionOf(context: LowerContext): number {
  const name = context.op.attributes.string('reduction', 'none')
  const found = Object.entries(scatterReductions).find(([key]) => key === name)
  if (!found) throw opError(context, `has the reduction "${name}", which ONNX does not know; check the model file`)
  return found[1]
}

export const scatterElements: Lowering = context => {
  const x = inputOfRank(context, 0, 1)
  const [indices, updates] = [inputAt(context, 1), inputAt(context, 2)]
  const axis = normalAxis(context.op.attributes.int('axis', 0), x.dims.length, context.op.name)
  checkIndices(context, indices, x.dims[axis])
  if (!sameShape(indices.dims, updates.dims)) {
    throw mismatch(context, "updates of the indices' shape", shapeText(indices.dims), shapeText(updates.dims))
  }
  const params = { ...elementParams(context, x.dims, indices.dims, axis), reduction: reductionOf(context) }
  if (elementsOf(indices.dims) === 0) return [x]
  return [context.graph.emit('scatter-elements', context.op.name, params, [x, indices, updates], x.dims)]
}

/** The axes that tuples name, as six. */
function tupleDims(context: LowerContext, dims: Shape) {
  if (dims.length > elementRank) throw unsupported(context, `names places along ${dims.length} axes`)
  const [dim0, dim1, dim2, dim3, dim4, dim5] = [...dims, 1, 1, 1, 1, 1, 1]
  return { dim0, dim1, dim2, dim3, dim4, dim5 }
}

export const gatherNd: Lowering = context => {
  const x = inputOfRank(context, 0, 1)
  const indices = inputOfRank(context, 1, 1)
  const axes = context.op.attributes.int('batch_dims', 0)
  const depth = indices.dims[indices.dims.length - 1]
  const batch = x.dims.slice(0, axes)
  const fits = axes >= 0 && axes < Math.min(x.dims.length, indices.dims.length) && depth >= 1
  if (!fits || axes + depth > x.dims.length || !sameShape(batch, indices.dims.slice(0, axes))) {
    throw mismatch(context, 'indices that fit', shapeText(x.dims), shapeText(indices.dims))
  }
  const slice = x.dims.slice(axes + depth)
  const params = {
    batch: elementsOf(batch),
    count: elementsOf(indices.dims.slice(axes, -1)),
    depth,
    inner: elementsOf(slice),
    ...tupleDims(context, x.dims.slice(axes, axes + depth)),
  }
  const dims = [...indices.dims.slice(0, -1), ...slice]
  return [context.graph.emit('gather-nd', context.op.name, params, [x, indices], dims)]
}

export const scatterNd: Lowering = context => {
  const x = inputOfRank(context, 0, 1)
  const indices = inputOfRank(context, 1, 1)
  const updates = inputAt(context, 2)
  const depth = indices.dims[indices.dims.length - 1]
  const wanted = [...indices.dims.slice(0, -1), ...x.dims.slice(depth)]
  if (depth < 1 || depth > x.dims.length || !sameShape(updates.dims, wanted)) {
    throw mismatch(context, 'updates of shape', shapeText(wanted), shapeText(updates.dims))
  }
  const params = {
    count: elementsOf(indices.dims.slice(0, -1)),
    depth,
    inner: elementsOf(x.dims.slice(depth)),
    ...tupleDims(context, x.dims.slice(0, depth)),
    reduction: reductionOf(context),
  }
  if (elementsOf(updates.dims) === 0) return [x]
  return [context.graph.emit('scatter-nd', context.op.name, params, [x, indices, updates], x.dims)]
}
