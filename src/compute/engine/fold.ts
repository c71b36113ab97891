/**
 * Two passes over a graph: `foldConstants` computes what depends on no input, with the kernels' scalar references;
 * `dropUnused` removes what no output needs. Neither changes a result.
 */
import { type KernelName, kernels } from '../kernels/index.ts'
import type { KernelArray } from '../tensor/dtype.ts'
import { foldFlopsMax, type Graph } from './graph.ts'
import { type Step, type StepOf, stepCost } from './program.ts'

const absent = new Float32Array(0)

export function foldConstants(graph: Graph): void {
  const writers = new Map<number, Step[]>()
  for (const step of graph.steps) writers.set(step.output, [...(writers.get(step.output) ?? []), step])
  const folded = new Set<Step>()
  for (const [output, steps] of writers) {
    // The map is in order of first writing, so what these steps read was looked at before.
    const known = steps.every(step => step.inputs.every(input => input === null || graph.values[input].constant))
    if (!known || steps.reduce((sum, step) => sum + stepCost(step).flops, 0) > foldFlopsMax) continue
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
