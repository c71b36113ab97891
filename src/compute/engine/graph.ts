/**
 * A network between ONNX and a program: kernel calls over values, shapes settled, memory not. What an op lowers to is
 * written with `GraphBuilder`; the passes (fold, fuse) rewrite `steps` and `values`; the planner reads them.
 *
 * A value is storage; a `Tensor` is a way to see one, so that a Reshape costs nothing. Steps are in an order that
 * can be run. A value is written by one step, or by several `copy` steps that fill it together.
 */
import type { KernelName, KernelParams } from '../kernels/index.ts'
import type { Constant } from '../tensor/constant.ts'
import type { DType, KernelArray } from '../tensor/dtype.ts'
import { checkShape, elementsOf, type Shape } from '../tensor/shape.ts'
import type { Step, StepOf } from './program.ts'

export interface GraphValue {
  dtype: DType
  elements: number
  /** Its values, where they are known before the run. */
  constant?: KernelArray
}

/** A dense row-major view of a float32 value (of uint8 for pixels). */
export interface Tensor {
  readonly value: number
  readonly dims: Shape
}

export interface GraphPort {
  name: string
  value: number
  dims: Shape
}

export interface Graph {
  values: GraphValue[]
  /** `inputs` and `output` are indices of `values`. */
  steps: Step[]
  inputs: GraphPort[]
  outputs: GraphPort[]
}

export interface GraphBuilder {
  readonly graph: Graph
  input(name: string, dims: Shape, dtype: DType): Tensor
  /** A constant as a value that kernels can read; integers become floats. */
  constant(constant: Constant): Tensor
  /** A value that steps will fill. */
  empty(dims: Shape, what: string): Tensor
  /** One call of a kernel, whose result has `dims`. */
  emit<K extends KernelName>(
    kernel: K,
    name: string,
    params: KernelParams[K],
    inputs: readonly (Tensor | null)[],
    dims: Shape,
  ): Tensor
  /** One call of `copy` that fills a part of `target`. */
  fill(name: string, params: KernelParams['copy'], from: Tensor, target: Tensor): void
}

/** A step as the union's member; TypeScript does not see by itself that K is one of the names. */
export function asStep<K extends KernelName>(step: StepOf<K>): Step {
  return step as Step
}

export function createGraphBuilder(): GraphBuilder {
  const graph: Graph = { values: [], steps: [], inputs: [], outputs: [] }
  const made = new Map<Constant['data'], number>()

  const add = (value: GraphValue): number => graph.values.push(value) - 1
  const empty = (dims: Shape, what: string): Tensor => {
    checkShape(dims, what)
    return { value: add({ dtype: 'float32', elements: elementsOf(dims) }), dims }
  }
  return {
    graph,
    input(name, dims, dtype) {
      checkShape(dims, `the input "${name}"`)
      const value = add({ dtype, elements: elementsOf(dims) })
      graph.inputs.push({ name, value, dims })
      return { value, dims }
    },
    constant({ dims, data }) {
      const known = made.get(data)
      if (known !== undefined) return { value: known, dims }
      const floats = data instanceof Float32Array ? data : Float32Array.from(data)
      const value = add({ dtype: 'float32', elements: floats.length, constant: floats })
      made.set(data, value)
      return { value, dims }
    },
    empty,
    emit(kernel, name, params, inputs, dims) {
      const output = empty(dims, `the result of "${name}"`)
      const values = inputs.map(input => (input === null ? null : input.value))
      graph.steps.push(asStep({ kernel, name, params, inputs: values, output: output.value }))
      return output
    },
    fill(name, params, from, target) {
      graph.steps.push({ kernel: 'copy', name, params, inputs: [from.value], output: target.value })
    },
  }
}

/** How often each value is read, by steps or as an output. */
export function countUses(graph: Graph): Int32Array {
  const uses = new Int32Array(graph.values.length)
  for (const step of graph.steps) for (const input of step.inputs) if (input !== null) uses[input]++
  for (const port of graph.outputs) uses[port.value]++
  return uses
}
