/**
 * Programs of a few kernels, written step by step: what learning methods run on a backend. Every buffer has memory of
 * its own, because these programs are short and their rows are few.
 */
import { bufferBytes, type PlannedModel, type Program, type Step } from '../../compute/engine/program.ts'
import type { KernelName, KernelParams } from '../../compute/kernels/index.ts'

/** A buffer of the program under construction. */
export type Value = number & { readonly value: unique symbol }

export interface ProgramBuilder {
  /** A float32 port of that name. */
  input(name: string, elements: number): Value
  /** One call of a kernel; `elements` is the length of its output. */
  run<K extends KernelName>(
    kernel: K,
    params: KernelParams[K],
    inputs: readonly (Value | null)[],
    elements: number,
  ): Value
  /** A part of a tensor, or several, copied into one buffer. */
  gatherCopies(copies: readonly { from: Value; params: KernelParams['copy'] }[], elements: number): Value
  output(name: string, value: Value): void
  finish(): PlannedModel
}

export function buildProgram(): ProgramBuilder {
  const program: Program = { batch: 1, steps: [], buffers: [], inputs: [], outputs: [], arenaBytes: 0, slots: [] }
  const place = (kind: 'input' | 'temporary', elements: number): Value => {
    const bytes = bufferBytes({ dtype: 'float32', elements })
    const { arenaBytes: offset, slots } = program
    program.buffers.push({ kind, dtype: 'float32', elements, weight: -1, offset, slot: slots.length })
    slots.push(bytes)
    program.arenaBytes += bytes
    return (program.buffers.length - 1) as Value
  }
  const push = <K extends KernelName>(
    kernel: K,
    params: KernelParams[K],
    inputs: readonly (Value | null)[],
    output: Value,
  ) => {
    const step = { kernel, name: kernel, params, inputs: [...inputs], output }
    program.steps.push(step as Step) // TypeScript does not see that K is one of the union
  }
  return {
    input(name, elements) {
      const buffer = place('input', elements)
      program.inputs.push({ name, buffer, dtype: 'float32', dims: [elements] })
      return buffer
    },
    run(kernel, params, inputs, elements) {
      const output = place('temporary', elements)
      push(kernel, params, inputs, output)
      return output
    },
    gatherCopies(copies, elements) {
      const output = place('temporary', elements)
      for (const { from, params } of copies) push('copy', params, [from], output)
      return output
    },
    output(name, value) {
      const buffer = program.buffers[value]
      if (buffer.kind === 'temporary') buffer.kind = 'output'
      program.outputs.push({ name, buffer: value, dtype: 'float32', dims: [buffer.elements] })
    },
    finish: () => ({ program, weights: [] }),
  }
}
