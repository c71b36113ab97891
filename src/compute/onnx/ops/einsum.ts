/**
 * Einsum (opset 12): operands are contracted from left to right, each pair as one batched product; diagonals, sums and
 * transposes around it are strided copies and reductions.
 */
import type { Tensor } from '../../engine/graph.ts'
import { stridesOf } from '../../tensor/shape.ts'
import { inputAt, type LowerContext, type Lowering, mismatch, opError, reshaped } from '../lowering.ts'
import { emitExpand, emitReduce, emitTranspose, emitView } from './emit.ts'
import { emitMatMul } from './gemm.ts'

/** A tensor with one letter an axis; the axes of an ellipsis have letters of their own, aligned at the right. */
interface Labelled {
  tensor: Tensor
  labels: string[]
}

const ellipsis = '...'

interface Equation {
  terms: string[][]
  output: string[]
}

function parse(context: LowerContext, ranks: readonly number[]): Equation {
  const text = context.op.attributes.string('equation', '').replace(/\s/g, '')
  const [left, right, ...more] = text.split('->')
  const bad = () => opError(context, `has the equation "${text}", which is not one; check the model file`)
  const letters = (term: string): string[] => {
    if (!/^[A-Za-z]*(\.\.\.)?[A-Za-z]*$/.test(term)) throw bad()
    return term.match(/\.\.\.|[A-Za-z]/g) ?? []
  }
  const terms = left.split(',').map(letters)
  if (more.length > 0 || terms.length !== ranks.length) throw bad()
  const wide = Math.max(0, ...terms.map((term, i) => (term.includes(ellipsis) ? ranks[i] - term.length + 1 : 0)))
  const dots = Array.from({ length: wide }, (_, i) => `.${i}`)
  const spelled = terms.map((term, i) => {
    const own = ranks[i] - term.length + 1
    if (own < 0 || (!term.includes(ellipsis) && own !== 1)) {
      throw mismatch(context, `operand ${i} of rank`, `${term.length}`, `${ranks[i]}`)
    }
    return term.flatMap(label => (label === ellipsis ? dots.slice(wide - own) : [label]))
  })
  if (right !== undefined) {
    const output = letters(right).flatMap(label => (label === ellipsis ? dots : [label]))
    const known = new Set(spelled.flat())
    if (new Set(output).size !== output.length || output.some(label => !known.has(label))) throw bad()
    return { terms: spelled, output }
  }
  // Without an arrow: the ellipsis, then the letters that occur once, in alphabetical order.
  const all = spelled.flat().filter(label => !label.startsWith('.'))
  const once = all.filter(label => all.indexOf(label) === all.lastIndexOf(label))
  return { terms: spelled, output: [...dots, ...once.sort()] }
}

/** A letter that stands twice in one operand walks its diagonal. */
function diagonal(context: LowerContext, { tensor, labels }: Labelled): Labelled {
  const unique = [...new Set(labels)]
  if (unique.length === labels.length) return { tensor, labels }
  const strides = stridesOf(tensor.dims)
  const axes = unique.map(label => labels.flatMap((other, axis) => (other === label ? [axis] : [])))
  const dims = axes.map(([first]) => tensor.dims[first])
  if (axes.some(list => list.some(axis => tensor.dims[axis] !== tensor.dims[list[0]]))) {
    throw mismatch(context, 'equal dims for a letter that stands twice in', labels.join(''), `[${tensor.dims}]`)
  }
  const walk = axes.map(list => list.reduce((sum, axis) => sum + strides[axis], 0))
  return { tensor: emitView(context, tensor, dims, { offset: 0, strides: walk }), labels: unique }
}

/** Letters that nothing needs any more are summed. */
function sumOut(context: LowerContext, { tensor, labels }: Labelled, needed: ReadonlySet<string>): Labelled {
  const gone = labels.flatMap((label, axis) => (needed.has(label) ? [] : [axis]))
  if (gone.length === 0) return { tensor, labels }
  return { tensor: emitReduce(context, tensor, 'sum', gone, false), labels: labels.filter(label => needed.has(label)) }
}

function ordered(context: LowerContext, { tensor, labels }: Labelled, wanted: readonly string[]): Tensor {
  return emitTranspose(
    context,
    tensor,
    wanted.map(label => labels.indexOf(label)),
  )
}

function contract(context: LowerContext, left: Labelled, right: Labelled, needed: ReadonlySet<string>): Labelled {
  const a = sumOut(context, left, new Set([...needed, ...right.labels]))
  const b = sumOut(context, right, new Set([...needed, ...a.labels]))
  const sizes = new Map<string, number>()
  for (const { tensor, labels } of [a, b]) {
    labels.forEach((label, axis) => {
      const so = sizes.get(label) ?? 1
      const dim = tensor.dims[axis]
      if (so !== 1 && dim !== 1 && so !== dim) throw mismatch(context, `the dim "${label}" as`, `${so}`, `${dim}`)
      sizes.set(label, dim === 1 ? so : dim)
    })
  }
  const shared = a.labels.filter(label => b.labels.includes(label))
  const batch = shared.filter(label => needed.has(label))
  const summed = shared.filter(label => !needed.has(label))
  const rows = a.labels.filter(label => !shared.includes(label))
  const columns = b.labels.filter(label => !shared.includes(label))
  const size = (labels: readonly string[]) => labels.reduce((product, label) => product * (sizes.get(label) ?? 1), 1)
  const matrix = (of: Labelled, order: readonly string[], dims: readonly number[]) => {
    const whole = order.map(label => sizes.get(label) ?? 1)
    return reshaped(context, emitExpand(context, ordered(context, of, order), whole), dims)
  }
  const [s, m, k, n] = [size(batch), size(rows), size(summed), size(columns)]
  const x = matrix(a, [...batch, ...rows, ...summed], [s, m, k])
  const y = matrix(b, [...batch, ...summed, ...columns], [s, k, n])
  const labels = [...batch, ...rows, ...columns]
  const dims = labels.map(label => sizes.get(label) ?? 1)
  return { tensor: reshaped(context, emitMatMul(context, x, y), dims), labels }
}

export const einsum: Lowering = context => {
  const operands = context.op.inputs.map((_, i) => inputAt(context, i))
  const { terms, output } = parse(
    context,
    operands.map(({ dims }) => dims.length),
  )
  const labelled = operands.map((tensor, i) => diagonal(context, { tensor, labels: terms[i] }))
  let result = labelled[0]
  for (let i = 1; i < labelled.length; i++) {
    const later = new Set([...output, ...labelled.slice(i + 1).flatMap(({ labels }) => labels)])
    result = contract(context, result, labelled[i], later)
  }
  return [ordered(context, sumOut(context, result, new Set(output)), output)]
}
