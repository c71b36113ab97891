/**
 * A program: a network (or one kernel) ready for a backend, as plain data that can be cloned to a worker and
 * checked. Shapes, memory and order are settled; a backend looks at nothing but this.
 *
 * Invariants: steps are in an order that can be run; every buffer is written before it is read, and a step never
 * reads the buffer that it writes; two buffers share a slot or bytes of the arena only if they are never needed at
 * the same time. `checkProgram` holds them.
 */
import { assert } from '../../base/errors.ts'
import type { Cost } from '../kernels/contract.ts'
import { type KernelName, type KernelParams, kernels } from '../kernels/index.ts'
import { type DType, dtypeBytes, type KernelArray } from '../tensor/dtype.ts'
import type { ElementType } from '../tensor/element-type.ts'
import type { Shape } from '../tensor/shape.ts'

export type BufferKind = 'input' | 'weight' | 'temporary' | 'output'

export interface ProgramBuffer {
  kind: BufferKind
  dtype: DType
  elements: number
  /** The weight in the list beside the program; -1 for the other kinds. */
  weight: number
  /**
   * Where it lies in an arena of `arenaBytes` bytes, a multiple of `bufferAlignment`; -1 for weights. Inputs and
   * outputs lie in the arena too.
   */
  offset: number
  /** The same plan for devices that bind whole buffers: its place in `slots`, at the slot's start; -1 for weights. */
  slot: number
}

/** One call of a kernel. Numbers are indices of `buffers`; null stands for an absent operand. */
export interface StepOf<K extends KernelName> {
  kernel: K
  /** The op's name in the model, for errors and profiles. */
  name: string
  params: KernelParams[K]
  inputs: (number | null)[]
  /** `copy` may write a part of it, and several copies may fill one buffer; others write all of it. */
  output: number
}

export type Step = { [K in KernelName]: StepOf<K> }[KernelName]

/** Images between steps: [batch, channels, height, width] or [batch, height, width, channels]. */
export type ImageLayout = 'planes' | 'channels-last'

/** What a caller gives or gets under a name. */
export interface Port {
  name: string
  buffer: number
  dtype: DType
  dims: Shape
  /** What its numbers are for people; absent where they are nothing else. */
  meaning?: PortMeaning
}

export interface PortMeaning {
  /** ONNX's type; strings are int64. */
  type: ElementType
  /** The names that its elements stand for. */
  names?: readonly string[]
  /** What the elements along its last axis are called. */
  columns?: readonly string[]
}

export interface Program {
  /** Rows of a run. */
  batch: number
  steps: Step[]
  buffers: ProgramBuffer[]
  inputs: Port[]
  outputs: Port[]
  arenaBytes: number
  /** Bytes of each slot, multiples of `bufferAlignment`. */
  slots: number[]
}

/** A constant operand in the contract's own layout; backends prepack it as they like, and never change it. */
export interface Weight {
  /** SHA-256 of the bytes: equal weights of two plans or models are stored once. */
  key: string
  dims: Shape
  data: KernelArray
}

/** A program with its weights: what `planModel` gives and a backend compiles. */
export interface PlannedModel {
  program: Program
  weights: readonly Weight[]
}

/** Enough for WebGPU's storage offsets (256) and any vector load. */
export const bufferAlignment = 256

/** Bytes of a buffer in memory, rounded up to the alignment; never 0. */
export function bufferBytes(buffer: Pick<ProgramBuffer, 'dtype' | 'elements'>): number {
  const bytes = buffer.elements * dtypeBytes[buffer.dtype]
  return Math.max(1, Math.ceil(bytes / bufferAlignment)) * bufferAlignment
}

/** The sum over all steps. */
export function programCost(program: Program): Cost {
  const total = { flops: 0, bytes: 0 }
  for (const step of program.steps) {
    const cost = stepCost(step)
    total.flops += cost.flops
    total.bytes += cost.bytes
  }
  return total
}

export function stepCost<K extends KernelName>(step: StepOf<K>): Cost {
  return kernels[step.kernel].cost(step.params)
}

/** Asserts the invariants that this file states, up to the overlap of memory, which the planner's tests hold. */
export function checkProgram(program: Program, weights: readonly Weight[]): void {
  const written = program.buffers.map(buffer => buffer.kind === 'weight' || buffer.kind === 'input')
  for (const buffer of program.buffers) {
    if (buffer.kind === 'weight') assert(buffer.weight in weights, 'a weight buffer names a weight')
    else assert(buffer.offset >= 0 && buffer.offset + bufferBytes(buffer) <= program.arenaBytes, 'inside the arena')
  }
  for (const step of program.steps) {
    const operands = kernels[step.kernel].operands
    assert(step.inputs.length === operands.length, `${step.kernel} has an entry for each operand`)
    step.inputs.forEach((input, place) => {
      if (input === null) assert(operands[place].endsWith('?'), `${step.kernel} has the operand ${operands[place]}`)
      else assert(written[input] && input !== step.output, `${step.name} reads what was written before`)
    })
    assert(program.buffers[step.output].kind !== 'weight', `${step.name} does not write a weight`)
    written[step.output] = true
  }
  for (const port of program.outputs) assert(written[port.buffer], `the output ${port.name} is written`)
}
