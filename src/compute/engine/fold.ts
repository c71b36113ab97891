/**
 * Two passes over a graph: `foldConstants` computes what depends on no input, with the kernels' scalar references;
 * `dropUnused` removes what no output needs. Neither changes a result.
 */
import { type KernelName, kernels } from '../kernels/index.ts'
import type { KernelArray } from '../tensor/dtype.ts'
import type { Graph } from './graph.ts'
import { type Step, type StepOf, stepCost } from './program.ts'

/**
 * Flops and bytes that a whole model may spend here, a second or so of scalar arithmetic. What a hostile or odd model wants
 * beyond it stays in the program, where it is cut into runs and can be stopped.
 */
const foldWorkMax = 256 * 1024 * 1024

const absent = new Float32Array(0)

export function foldConstants(graph: Graph): void {
  const writers = new Map<number, Step[]>()
  for (const step of graph.steps) writers.set(step.output, [...(writers.get(step.output) ?? []), step])
  const folded = new Set<Step>()
  let budget = foldWorkMax
  for (const [output, steps] of writers) {
    // The map is in order of first writing, so what these steps read was looked at before.
    const known = steps.every(step => step.inputs.every(input => input === null || graph.values[input].constant))
    if (!known) continue
    const costs = steps.map(stepCost)
    const work = costs.reduce((sum, { flops, bytes }) => sum + flops + bytes, 4 * graph.values[output].elements)
    if (work > budget) continue
    budget -= work
    const result = new Float32Array(graph.values[output].elements)
    for (const step of steps) {
      runReference(
        step,
        step.inputs.map(input => constantOf(graph, input)),
        result,
      )
      folded.add(step)
    }
    graph.values[output].constant = result
  }
  graph.steps = graph.steps.filter(step => !folded.has(step))
}

function constantOf(graph: Graph, input: number | null): KernelArray {
  return (input === null ? undefined : graph.values[input].constant) ?? absent
}

function runReference<K extends KernelName>(step: StepOf<K>, inputs: KernelArray[], output: Float32Array): void {
  kernels[step.kernel].reference(step.params, inputs, output)
}

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
