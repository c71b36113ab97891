/** Times one network, stage by stage and kernel by kernel, on data that is random but the same each time. */
import { prng } from '../../base/prng.ts'
import type { Backend, Ceilings, RunInputs } from '../backends/types.ts'
import { type Model, planModel } from '../engine/model.ts'
import type { PlannedModel } from '../engine/program.ts'
import { makeArray } from '../tensor/dtype.ts'
import { elementsOf } from '../tensor/shape.ts'
import { type Pace, paceOf } from './kernels.ts'
import { medianMs, runMs, type StepTime, stepTimes } from './timing.ts'

export interface NetworkTiming {
  planMs: number
  compileMs: number
  runs: { batch: number; ms: number; rowsPerSecond: number }[]
  /** By kernel, the dearest first; of one run of the smallest batch. */
  kernels: (Pace & { kernel: string; steps: number; share: number })[]
  /** The dearest steps alone, by their names in the model. */
  steps: (Pace & { kernel: string; name: string; share: number })[]
}

/** Steps that are told one by one. */
const stepsTold = 10

/** @throws PeerError of `planModel` and of the backend */
export async function timeNetwork(
  backend: Backend,
  model: Model,
  ceilings: Ceilings,
  budgetMs: number,
): Promise<NetworkTiming> {
  const batches = model.fixedBatch === undefined ? [1, 8] : [model.fixedBatch]
  let planned: PlannedModel | undefined
  let [planMs, compileMs] = [0, 0]
  const runs: NetworkTiming['runs'] = []
  for (const batch of batches) {
    const begun = performance.now()
    const made = planModel(model, { batch, layout: backend.layout })
    const ready = performance.now()
    const executable = await backend.compile(made.program, made.weights)
    if (!planned) {
      planned = made
      ;[planMs, compileMs] = [ready - begun, performance.now() - ready]
    }
    const inputs = randomInputs(made)
    const ms = await medianMs(() => runMs(executable, inputs), budgetMs / 3)
    runs.push({ batch, ms, rowsPerSecond: (batch / ms) * 1000 })
    executable.dispose()
  }
  const smallest = planned ?? planModel(model, { batch: 1, layout: backend.layout })
  const times = await stepTimes(backend, smallest, randomInputs(smallest), budgetMs / 3)
  return { planMs, compileMs, runs, ...tables(times, ceilings) }
}

export function randomInputs({ program }: PlannedModel): RunInputs {
  const random = prng(1)
  return Object.fromEntries(
    program.inputs.map(({ name, dtype, dims }) => {
      const one = dtype === 'float32' ? () => random.normal() : () => random.int(256)
      return [name, makeArray(dtype, elementsOf(dims)).map(one)]
    }),
  )
}

function tables(times: readonly StepTime[], ceilings: Ceilings): Pick<NetworkTiming, 'kernels' | 'steps'> {
  const total = times.reduce((sum, { ms }) => sum + ms, 0)
  const share = (ms: number) => (total > 0 ? ms / total : 0)
  const byKernel = Map.groupBy(times, ({ step }) => step.kernel)
  const kernels = [...byKernel].map(([kernel, group]) => {
    const [ms, flops, bytes] = group.reduce(
      (sum, { ms, cost }) => [sum[0] + ms, sum[1] + cost.flops, sum[2] + cost.bytes],
      [0, 0, 0],
    )
    return { kernel, steps: group.length, share: share(ms), ...paceOf(ms, { flops, bytes }, ceilings) }
  })
  const steps = times.map(({ step: { kernel, name }, ms, cost }) => ({
    kernel,
    name,
    share: share(ms),
    ...paceOf(ms, cost, ceilings),
  }))
  const dearest = (a: Pace, b: Pace) => b.ms - a.ms
  return { kernels: kernels.sort(dearest), steps: steps.sort(dearest).slice(0, stepsTold) }
}
