/** What a conformance case is, its tolerances, and the data that cases are made of. */
import type { Prng } from '../../../src/base/prng.ts'
import { type KernelProgram, kernelProgram, type OperandInit } from '../../../src/compute/engine/kernel-program.ts'
import { activations } from '../../../src/compute/kernels/activation.ts'
import type { KernelName, KernelParams } from '../../../src/compute/kernels/index.ts'

export interface KernelCase extends KernelProgram {
  kernel: KernelName
  name: string
  /** |got - want| <= absolute + relative * |want|; `bits`: the same bits, -0 and all. */
  tolerance: { relative: number; absolute: number } | 'bits'
}

export type Tolerance = KernelCase['tolerance']

/** One rounding, fused or not. */
export const rounding: Tolerance = { relative: 3e-7, absolute: 1e-6 }
/** Float32 sums of `terms` products of standard normals, in any order, fused or not. */
export const sum = (terms: number): Tolerance => ({ relative: 1e-6, absolute: 1e-6 * (1 + terms ** 0.75) })
/** exp and its relatives on a GPU: WGSL allows 3 + 2|x| units in the last place. */
export const transcendental: Tolerance = { relative: 1e-5, absolute: 2e-6 }

export function normals(random: Prng, count: number): Float32Array {
  return Float32Array.from({ length: count }, () => random.normal())
}

/**
 * Near the ends of what float32 holds, but not beyond what every device must compute with: a GPU may flush subnormal
 * numbers to 0 and divides only by what has a normal reciprocal, and float32 sums of these do not overflow where the
 * reference's double ones would not.
 */
export const awkward = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0, 2e-38, 3e37]

/** Normals with an awkward value in about every fifth place. */
export function awkwards(random: Prng, count: number): Float32Array {
  return Float32Array.from({ length: count }, () => (random.int(5) ? random.normal() : random.pick(awkward)))
}

export const input = (data: OperandInit['data']): OperandInit => ({ data })
export const weight = (data: OperandInit['data']): OperandInit => ({ data, fixed: true })

export function one<K extends KernelName>(
  kernel: K,
  name: string,
  params: KernelParams[K],
  operands: (OperandInit | null)[],
  outputElements: number,
  tolerance: Tolerance,
): KernelCase {
  return { kernel, name, tolerance, ...kernelProgram(kernel, [{ params, operands }], outputElements) }
}

export const epilogues = [
  { activation: activations.none, clipMin: 0, clipMax: 0 },
  { activation: activations.relu, clipMin: 0, clipMax: 0 },
  { activation: activations.clip, clipMin: -0.5, clipMax: 1.25 },
]

/** A case whose tolerance is 0: only the sign of a zero is free. */
export const exact: Tolerance = { relative: 0, absolute: 0 }

/** Whole numbers in [low, high). */
export function wholes(random: Prng, count: number, low: number, high: number): Float32Array {
  return Float32Array.from({ length: count }, () => low + random.int(high - low))
}
