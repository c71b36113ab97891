/**
 * The smallest programs: calls of one kernel into one output. For self-tests, conformance tests, autotuning and
 * benchmarks, which so go the same way as networks do.
 */
import { createHash } from 'node:crypto'
import type { KernelName, KernelParams } from '../kernels/index.ts'
import { dtypeOf, type KernelArray } from '../tensor/dtype.ts'
import { bufferBytes, type PlannedModel, type Program, type Step, type Weight } from './program.ts'

/** An operand and its first values; `fixed` makes it a weight, which a backend may prepack. */
export interface OperandInit {
  data: KernelArray
  fixed?: boolean
}

export interface KernelCall<K extends KernelName> {
  params: KernelParams[K]
  /** In the contract's order; null where absent. */
  operands: readonly (OperandInit | null)[]
}

export interface KernelProgram extends PlannedModel {
  /** What to run it with: ports `in0`, `in1`…; the output is `out`. */
  inputs: Record<string, KernelArray>
}

export function makeWeight(data: KernelArray, dims: readonly number[]): Weight {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return { key: createHash('sha256').update(bytes).digest('hex'), dims, data }
}

/** A program that makes the given calls in order, all into one output of `outputElements` elements. */
export function kernelProgram<K extends KernelName>(
  kernel: K,
  calls: readonly KernelCall<K>[],
  outputElements: number,
): KernelProgram {
  const program: Program = { batch: 1, steps: [], buffers: [], inputs: [], outputs: [], arenaBytes: 0, slots: [] }
  const weights: Weight[] = []
  const inputs: Record<string, KernelArray> = {}

  const place = (kind: 'input' | 'output', dtype: 'float32' | 'uint8', elements: number): number => {
    const bytes = bufferBytes({ dtype, elements })
    program.buffers.push({ kind, dtype, elements, weight: -1, offset: program.arenaBytes, slot: program.slots.length })
    program.slots.push(bytes)
    program.arenaBytes += bytes
    return program.buffers.length - 1
  }
  const operand = (init: OperandInit): number => {
    const dtype = dtypeOf(init.data)
    const elements = init.data.length
    if (init.fixed) {
      weights.push(makeWeight(init.data, [elements]))
      program.buffers.push({ kind: 'weight', dtype, elements, weight: weights.length - 1, offset: -1, slot: -1 })
      return program.buffers.length - 1
    }
    const buffer = place('input', dtype, elements)
    const name = `in${program.inputs.length}`
    program.inputs.push({ name, buffer, dtype, dims: [elements] })
    inputs[name] = init.data
    return buffer
  }

  const output = place('output', 'float32', outputElements)
  program.outputs.push({ name: 'out', buffer: output, dtype: 'float32', dims: [outputElements] })
  for (const call of calls) {
    const step = {
      kernel,
      name: kernel,
      params: call.params,
      inputs: call.operands.map(init => (init === null ? null : operand(init))),
      output,
    }
    program.steps.push(step as Step) // TypeScript does not see that K is one of the union
  }
  return { program, weights, inputs }
}
