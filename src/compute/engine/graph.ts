/**
 * A network between ONNX and a program: kernel calls over values, shapes settled, memory not. What an op lowers to is
 * written with `GraphBuilder`; the passes (fuse) rewrite `steps` and `values`; the planner reads them.
 *
 * A value is storage; a `Tensor` is a way to see one, so that a Reshape costs nothing. Steps are in an order that
 * can be run. A value is written by one step, or by several `copy` steps that fill it together.
 *
 * Invariant: what depends on constants alone is computed as it is emitted, with the kernels' scalar references (as long
 * as that is cheap), so that arithmetic on shapes gives shapes; no result has zero elements and a step.
 */
import { type KernelName, type KernelParams, kernels } from '../kernels/index.ts'
import type { Constant } from '../tensor/constant.ts'
import type { DType, HostArray, KernelArray } from '../tensor/dtype.ts'
import { type ElementType, isInteger, makeHostArray, toCarrier } from '../tensor/element-type.ts'
import type { Labels } from '../tensor/labels.ts'
import { checkShape, elementsOf, type Shape } from '../tensor/shape.ts'
import { type Step, type StepOf, stepCost } from './program.ts'

export interface GraphValue {
  /** What a device's buffer holds; the logical type is the `Tensor`'s. */
  dtype: DType
  elements: number
  /** Its values, where they are known before the run; doubles become float32 when the planner takes them. */
  constant?: HostArray
  /** The constant is of an integer type, so that a device must hold it exactly. */
  integer?: boolean
}

/** A dense row-major view of a value. */
export interface Tensor {
  readonly value: number
  readonly dims: Shape
  readonly type: ElementType
  /** The names that its elements stand for, of a tensor of strings: its type is then int64. */
  readonly labels?: Labels
  /** Names of the elements along the last axis, for what ONNX calls a sequence of maps. */
  readonly columns?: readonly string[]
}

export interface GraphPort {
  name: string
  value: number
  dims: Shape
  type: ElementType
  labels?: Labels
  columns?: readonly string[]
}

export interface Graph {
  values: GraphValue[]
  /** `inputs` and `output` are indices of `values`. */
  steps: Step[]
  inputs: GraphPort[]
  outputs: GraphPort[]
}

/** One `copy` into a part of a tensor. */
export interface Part {
  from: Tensor
  params: KernelParams['copy']
}

export interface GraphBuilder {
  readonly graph: Graph
  /** Takes work (flops and bytes) from what a whole model may spend while it is prepared; false: it is spent. */
  spend(work: number): boolean
  /**
   * @param type of the elements; `uint8` with `pixels` is a buffer of bytes, everything else float32
   * @param as the names, of strings
   */
  input(name: string, dims: Shape, type: ElementType, as?: 'pixels' | Labels): Tensor
  constant(constant: Constant): Tensor
  /** The values where they are known before the run: do not change them. */
  known(tensor: Tensor): HostArray | undefined
  /**
   * One call of a kernel, whose result has `dims`.
   * @param type of the result; default: that of the first operand
   */
  emit<K extends KernelName>(
    kernel: K,
    name: string,
    params: KernelParams[K],
    inputs: readonly (Tensor | null)[],
    dims: Shape,
    type?: ElementType,
  ): Tensor
  /** A tensor that copies fill, together all of it; where they meet the later one stands. */
  assemble(name: string, parts: readonly Part[], dims: Shape, type: ElementType): Tensor
}

/** A step as the union's member; TypeScript does not see by itself that K is one of the names. */
export function asStep<K extends KernelName>(step: StepOf<K>): Step {
  return step as Step
}

/**
 * Flops and bytes that a whole model may spend on constants, a second or so of scalar arithmetic. What a hostile or odd model
 * wants beyond it stays in the program, where it is cut into runs and can be stopped.
 */
const foldWorkMax = 256 * 1024 * 1024

const absent = new Float32Array(0)

export function createGraphBuilder(): GraphBuilder {
  const graph: Graph = { values: [], steps: [], inputs: [], outputs: [] }
  const made = new Map<Constant['data'], number>()
  let budget = foldWorkMax

  const add = (value: GraphValue): number => graph.values.push(value) - 1
  const spend = (work: number): boolean => {
    if (!(work <= budget)) return false
    budget -= work
    return true
  }
  const constantOf = (value: number | null): HostArray | undefined =>
    value === null ? absent : graph.values[value].constant
  const empty = (dims: Shape, type: ElementType, name: string): Tensor => {
    checkShape(dims, `the result of "${name}"`)
    const elements = elementsOf(dims)
    const constant = elements === 0 ? makeHostArray(type, 0) : undefined
    return { value: add({ dtype: 'float32', elements, constant, integer: isInteger(type) }), dims, type }
  }

  /** Takes the steps that fill `target` together: computes them now, or leaves them to the run. */
  const take = (steps: readonly Step[], target: Tensor): Tensor => {
    const value = graph.values[target.value]
    if (value.constant) return target
    if (steps.every(step => step.inputs.every(constantOf))) {
      const costs = steps.map(stepCost)
      const work = costs.reduce((sum, { flops, bytes }) => sum + flops + bytes, 4 * value.elements)
      if (spend(work)) {
        const result = makeHostArray(target.type, value.elements)
        for (const step of steps) {
          runReference(
            step,
            step.inputs.map(input => constantOf(input) ?? absent),
            result,
          )
        }
        value.constant = result
        return target
      }
    }
    graph.steps.push(...steps)
    return target
  }

  return {
    graph,
    spend,
    input(name, dims, type, as) {
      checkShape(dims, `the input "${name}"`)
      const labels = as === 'pixels' ? undefined : as
      const value = add({ dtype: as === 'pixels' ? 'uint8' : 'float32', elements: elementsOf(dims) })
      graph.inputs.push({ name, value, dims, type, labels })
      return { value, dims, type, labels }
    },
    constant({ dims, data, type, labels }) {
      const known = made.get(data)
      if (known !== undefined) return { value: known, dims, type, labels }
      const value = add({ dtype: 'float32', elements: data.length, constant: data, integer: isInteger(type) })
      made.set(data, value)
      return { value, dims, type, labels }
    },
    known: tensor => graph.values[tensor.value].constant,
    emit(kernel, name, params, inputs, dims, type) {
      const target = empty(dims, type ?? inputs[0]?.type ?? 'float32', name)
      const values = inputs.map(input => (input === null ? null : input.value))
      return take([asStep({ kernel, name, params, inputs: values, output: target.value })], target)
    },
    assemble(name, parts, dims, type) {
      const target = empty(dims, type, name)
      const filled = parts.filter(({ from }) => graph.values[from.value].elements > 0)
      return take(
        filled.map(({ from, params }) =>
          asStep({ kernel: 'copy', name, params, inputs: [from.value], output: target.value }),
        ),
        target,
      )
    },
  }
}

function runReference<K extends KernelName>(
  step: StepOf<K>,
  inputs: HostArray[],
  output: Float32Array | Float64Array,
): void {
  kernels[step.kernel].reference(step.params, inputs, output)
}

/** Removes what no output needs. */
export function dropUnused(graph: Graph): void {
  const needed = new Set(graph.outputs.map(port => port.value))
  const kept: Step[] = []
  for (const step of graph.steps.toReversed()) {
    if (!needed.has(step.output)) continue
    kept.push(step)
    for (const input of step.inputs) if (input !== null) needed.add(input)
  }
  graph.steps = kept.reverse()
}

/** Names of the graph's inputs from which a value is computed. */
export function inputsBehind(graph: Graph, value: number): string[] {
  const needed = new Set([value])
  for (const step of graph.steps.toReversed()) {
    if (needed.has(step.output)) for (const input of step.inputs) if (input !== null) needed.add(input)
  }
  return graph.inputs.filter(port => needed.has(port.value)).map(port => port.name)
}

const carried = new WeakMap<HostArray, Float32Array>()

/**
 * A value's constant as a device holds it; undefined where the value has none.
 * @throws PeerError MODEL_INTEGER_RANGE when it holds an integer that float32 does not
 */
export function carrierOf({ constant, integer }: GraphValue, what: string): KernelArray | undefined {
  if (!(constant instanceof Float64Array)) return constant
  const known = carried.get(constant)
  if (known) return known
  const made = toCarrier(integer ? 'int64' : 'float64', constant, what)
  carried.set(constant, made)
  return made
}

/** How often each value is read, by steps or as an output. */
export function countUses(graph: Graph): Int32Array {
  const uses = new Int32Array(graph.values.length)
  for (const step of graph.steps) for (const input of step.inputs) if (input !== null) uses[input]++
  for (const port of graph.outputs) uses[port.value]++
  return uses
}
