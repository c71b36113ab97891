/** What the table of kernels is made of: calls, and how many workgroups they take. */
import { type KernelName, type KernelParams, kernels, type Unsupported } from '../../kernels/index.ts'
import type { Common, Operand, Variant } from './shaders.ts'

/** One call of a kernel: what to bind follows from the contract's operands. */
export interface Call {
  variant: Variant
  /** None is above `workgroupsMax`; one that is 0 means that there is nothing to do. */
  workgroups: readonly [x: number, y: number, z: number]
  /** What a cache of measured choices calls it; there where `others` are. */
  name?: string
  /** Calls that give the same bits, and may be faster on some device: to be measured. */
  others?: readonly Call[]
}

/** The call for these params; unsupported where the shader has this kernel but not this function of it. */
export type Implementation<K extends KernelName> = (params: KernelParams[K]) => Call | Unsupported

/** The standard's default for workgroups along one axis, which every device has. */
export const workgroupsMax = 65_535

/** Lanes of a workgroup where each makes one element: two to four subgroups on every known GPU. */
export const lanes = 64

/** The contract's operands, then y, which is written. */
export function operandsOf(kernel: KernelName): Operand[] {
  const read = kernels[kernel].operands.map(name => ({ name: name.replace('?', ''), access: 'read' as const }))
  return [...read, { name: 'y', access: 'write' }]
}

export function variantOf(shader: KernelName, common: readonly Common[], constants: Variant['constants']): Variant {
  return { shader, common, constants, operands: operandsOf(shader) }
}

/** `count` things, `each` a workgroup, over x and then y. The shader's index is y * (all of x) + x. */
export function spread(count: number, each: number): Call['workgroups'] {
  const groups = Math.ceil(count / each)
  if (groups <= workgroupsMax) return [groups, 1, 1]
  // Rows of equal length, so that few workgroups find nothing to do.
  const y = Math.ceil(groups / workgroupsMax)
  return [Math.ceil(groups / y), y, 1]
}
