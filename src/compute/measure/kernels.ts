/** Times one kernel on one shape, beside what the device does at best. */
import type { Backend, Ceilings } from '../backends/types.ts'
import { stepCost } from '../engine/program.ts'
import type { Cost } from '../kernels/contract.ts'
import type { MeasuredShape } from './kernel-shapes.ts'
import { singleStepMs } from './timing.ts'

export interface Pace {
  ms: number
  gflopsPerSecond: number
  gigabytesPerSecond: number
  /**
   * The time that this work would take at the device's ceilings (of arithmetic or of memory, whichever is longer) by the
   * time it took. Above 1 where data stays in caches, which are faster than the copy that is the memory's ceiling.
   */
  ofCeiling: number
}

export interface KernelTiming extends Pace {
  kernel: string
  shape: string
}

/** @throws PeerError MODEL_UNSUPPORTED_KERNEL where the backend has none */
export async function timeKernel(
  backend: Backend,
  { kernel, text, program }: MeasuredShape,
  ceilings: Ceilings,
  budgetMs: number,
): Promise<KernelTiming> {
  const made = program()
  const ms = await singleStepMs(backend, made, made.inputs, budgetMs)
  return { kernel, shape: text, ...paceOf(ms, stepCost(made.program.steps[0]), ceilings) }
}

export function paceOf(ms: number, { flops, bytes }: Cost, ceilings: Ceilings): Pace {
  const seconds = ms / 1000
  const least = Math.max(flops / ceilings.flopsPerSecond, bytes / ceilings.bytesPerSecond)
  const by = (amount: number) => (seconds > 0 ? amount / seconds : 0)
  return { ms, gflopsPerSecond: by(flops) / 1e9, gigabytesPerSecond: by(bytes) / 1e9, ofCeiling: by(least) }
}
