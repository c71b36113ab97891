/**
 * The pass that finds what exporters spell out in small steps because their opset had no word for it, and puts the one kernel
 * there: Gelu (x / 2 * (1 + erf(x / sqrt 2)), before opset 20) and LayerNormalization (before opset 17).
 *
 * Invariant: a chain is replaced only as a whole, when nobody else reads what lies between; the last step's name stays.
 */
import { activations } from '../kernels/activation.ts'
import { binaryOps } from '../kernels/binary.ts'
import { reduceOps } from '../kernels/reduce.ts'
import { unaryOps } from '../kernels/unary.ts'
import { countUses, type Graph } from './graph.ts'
import type { Step, StepOf } from './program.ts'

export function recogniseIdioms(graph: Graph): void {
  const uses = countUses(graph)
  const writers = new Map<number, Step | undefined>()
  for (const step of graph.steps) writers.set(step.output, writers.has(step.output) ? undefined : step)
  const chain: Chain = { graph, uses, writers }
  for (const [at, step] of graph.steps.entries()) {
    const found = gelu(chain, step) ?? layerNorm(chain, step)
    if (!found) continue
    graph.steps[at] = found
    writers.set(found.output, found)
  }
  // What nobody reads any more goes with dropUnused.
}

interface Chain {
  graph: Graph
  uses: Int32Array
  /** Undefined for what several copies fill. */
  writers: ReadonlyMap<number, Step | undefined>
}

/** The step that makes a value, if it is of that kernel and `readers` read it. */
function made<K extends Step['kernel']>(
  { writers, uses }: Chain,
  value: number | null,
  kernel: K,
  readers = 1,
): Extract<Step, StepOf<K>> | undefined {
  const step = value === null ? undefined : writers.get(value)
  if (!step || step.kernel !== kernel || uses[step.output] !== readers) return undefined
  return step as Extract<Step, StepOf<K>> // the kernel's name is the union's tag
}

function constantOf(graph: Graph, value: number | null): number | undefined {
  const data = value === null ? undefined : graph.values[value].constant
  return data?.length === 1 ? data[0] : undefined
}

/** x * scale + shift with two numbers: [x, scale, shift]. */
function line(chain: Chain, step: Step | undefined): [number, number, number] | undefined {
  if (step?.kernel !== 'affine' || step.params.activation !== activations.none) return undefined
  const [x, scale, shift] = step.inputs
  const [a, b] = [constantOf(chain.graph, scale), constantOf(chain.graph, shift)]
  return x === null || a === undefined || b === undefined ? undefined : [x, a, b]
}

const near = (value: number, wanted: number) => Math.abs(value - wanted) <= 1e-6 * Math.abs(wanted)

/** A product of two whole tensors, element by element: its operands. */
function productOf(step: Step | undefined): [number, number] | undefined {
  if (step?.kernel !== 'binary' || step.params.op !== binaryOps.mul) return undefined
  const p = step.params
  const dense = p.dim0 * p.dim1 * p.dim2 * p.dim3 * p.dim4 === 1 && p.strideA5 === 1 && p.strideB5 === 1
  const [a, b] = step.inputs
  return dense && a !== null && b !== null && p.activation === activations.none ? [a, b] : undefined
}

/** (x * (1 + erf)) / 2, or (x / 2) * (1 + erf), with the operands either way round. */
function gelu(chain: Chain, step: Step): Step | undefined {
  const { graph } = chain
  const halved = line(chain, step)
  const outer = halved && near(halved[1], 0.5) && halved[2] === 0 ? made(chain, halved[0], 'binary') : step
  const operands = productOf(outer)
  if (!operands) return undefined
  for (const [a, b] of [operands, operands.toReversed()]) {
    const inner = line(chain, made(chain, b, 'affine'))
    if (!inner) continue
    // Halved at the end, or x was, or 1 + erf was.
    const half = halved ? undefined : line(chain, made(chain, a, 'affine'))
    const x = half && near(half[1], 0.5) && half[2] === 0 ? half[0] : a
    const factor = halved || x !== a ? 1 : 0.5
    const erf = near(inner[1], factor) && near(inner[2], factor) ? made(chain, inner[0], 'unary') : undefined
    if (erf?.params.op !== unaryOps.erf) continue
    const inside = line(chain, made(chain, erf.inputs[0], 'affine'))
    if (!inside || inside[0] !== x || !near(inside[1], Math.SQRT1_2) || inside[2] !== 0) continue
    const params = { count: graph.values[x].elements, op: unaryOps.gelu, alpha: 0, beta: 0 }
    return { kernel: 'unary', name: step.name, params, inputs: [x], output: step.output }
  }
  return undefined
}

/** d / sqrt(mean(d^2) + epsilon), d = x - mean(x), over contiguous rows. */
function layerNorm(chain: Chain, step: Step): Step | undefined {
  if (step.kernel !== 'binary' || step.params.op !== binaryOps.div) return undefined
  if (step.params.activation !== activations.none) return undefined
  const root = made(chain, step.inputs[1], 'unary')
  if (root?.params.op !== unaryOps.sqrt) return undefined
  const raised = line(chain, made(chain, root.inputs[0], 'affine'))
  if (raised?.[1] !== 1) return undefined
  const variance = made(chain, raised[0], 'reduce')
  const square = variance && made(chain, variance.inputs[0], 'binary')
  // d is divided and squared: read twice, or by x * x three times.
  const times = square?.params.op === binaryOps.mul ? 3 : 2
  const difference = made(chain, step.inputs[0], 'binary', times)
  if (!variance || !square || !difference || !squares(chain, square, difference.output)) return undefined
  const [x, mean] = difference.inputs
  const average = made(chain, mean, 'reduce')
  if (x === null || difference.params.op !== binaryOps.sub || average?.inputs[0] !== x) return undefined
  const { outer, axis } = variance.params
  const rows = [variance, average].every(
    ({ params }) =>
      params.op === reduceOps.mean && params.inner === 1 && params.outer === outer && params.axis === axis,
  )
  if (!rows || ![step, difference].every(({ params }) => byRow(params, outer, axis))) return undefined
  const params = { outer, inner: axis, epsilon: raised[2], hasScale: 0, hasBias: 0 }
  return { kernel: 'normalize', name: step.name, params, inputs: [x, null, null], output: step.output }
}

function squares({ graph }: Chain, step: StepOf<'binary'>, value: number): boolean {
  const [a, b] = step.inputs
  if (step.params.op === binaryOps.mul) return a === value && b === value
  return step.params.op === binaryOps.pow && a === value && constantOf(graph, b) === 2
}

/** a is walked from end to end, and b has one value for each row. */
function byRow(p: StepOf<'binary'>['params'], outer: number, axis: number): boolean {
  const rows = p.dim0 * p.dim1 * p.dim2 * p.dim3 === 1 && p.dim4 === outer && p.dim5 === axis
  const one = p.dim0 * p.dim1 * p.dim2 * p.dim3 * p.dim4 === 1 && outer === 1 && p.dim5 === axis
  if (rows) return p.strideA4 === axis && p.strideA5 === 1 && p.strideB4 === 1 && p.strideB5 === 0
  return one && p.strideA5 === 1 && p.strideB5 === 0
}
