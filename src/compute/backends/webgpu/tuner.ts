/**
 * Chooses among a step's calls by measuring them on the device, once for each shape, within a limit of time.
 *
 * Invariant: all calls of a step give the same bits (matrix.ts), so that neither the choice, nor the time that there was to
 * make it, changes a result. A measurement writes into the program's own slots, which every run fills before it reads.
 * Source: Ansel et al., "OpenTuner" (2014), for measuring instead of modelling; here the space is small enough to try all.
 */
import type { Call } from './call.ts'
import type { GpuContext } from './device.ts'
import type { PipelineCache } from './shaders.ts'
import { createStopwatch, type Stopwatch } from './stopwatch.ts'
import type { TileCache } from './tile-cache.ts'

export interface TunableStep {
  call: Call
  /** Steps of the same key do the same work. */
  key: string
  /** What it costs, in any unit: the dearest are measured first. */
  cost: number
  /** What it binds, whichever call it is. */
  entries: GPUBindGroupEntry[]
}

export interface Tuner {
  /** One call for each step, in order. Throws PeerError as `GpuContext.guard`. */
  choose(steps: readonly TunableStep[]): Promise<Call[]>
}

export interface TunerDeps {
  context: GpuContext
  pipelines: PipelineCache
  cache: TileCache
  /** Milliseconds that may be spent on measuring in the life of the tuner; 0: what is remembered is used, no more. */
  budgetMs: number
}

/** A call must be so much faster than the usual one to be chosen: less is noise. */
const gainMin = 1.03

export function createTuner(deps: TunerDeps): Tuner {
  const { cache } = deps
  let leftMs = deps.budgetMs
  /** Measurements disturb each other: one program at a time. */
  let queue: Promise<unknown> = Promise.resolve()

  async function measureAll(steps: readonly TunableStep[]): Promise<void> {
    const unknown = dearestFirst(steps.filter(step => step.call.others && cache.get(step.key) === undefined))
    if (unknown.length === 0 || leftMs <= 0) return
    const stopwatch = createStopwatch(deps.context)
    try {
      for (const step of unknown) {
        const startMs = performance.now()
        const name = await fastest(deps, stopwatch, step, startMs + leftMs)
        leftMs -= performance.now() - startMs
        if (name === undefined) break
        cache.set(step.key, name)
      }
    } finally {
      stopwatch.destroy()
    }
    await cache.save()
  }

  return {
    async choose(steps) {
      const turn = queue.then(() => measureAll(steps))
      queue = turn.catch(() => {})
      await turn
      return steps.map(({ call, key }) => callNamed(call, cache.get(key)))
    },
  }
}

/** The call of this name; the usual one where none has it, as when tiles have changed since it was remembered. */
function callNamed(call: Call, name: string | undefined): Call {
  return call.others?.find(other => other.name === name) ?? call
}

/** One step of each key, the dearest work in sum first. */
function dearestFirst(steps: readonly TunableStep[]): TunableStep[] {
  const byKey = new Map<string, { step: TunableStep; cost: number }>()
  for (const step of steps) {
    const known = byKey.get(step.key)
    byKey.set(step.key, { step, cost: step.cost + (known?.cost ?? 0) })
  }
  return [...byKey.values()].sort((a, b) => b.cost - a.cost).map(({ step }) => step)
}

/**
 * The name of the step's fastest call; undefined where the time ran out before all were measured. A call that the driver
 * refuses is not chosen.
 */
async function fastest(
  { context, pipelines }: TunerDeps,
  stopwatch: Stopwatch,
  { call, entries }: TunableStep,
  untilMs: number,
): Promise<string | undefined> {
  const calls = [call, ...(call.others ?? [])]
  const compiled = await Promise.allSettled(calls.map(({ variant }) => pipelines.get(variant)))
  let best = { name: call.name, ms: Number.POSITIVE_INFINITY }
  for (const [place, { name, workgroups }] of calls.entries()) {
    if (performance.now() > untilMs) return undefined
    const made = compiled[place]
    const gone = context.lost()
    if (gone) throw gone
    if (made.status === 'rejected') continue
    const { pipeline, layout } = made.value
    const group = await context.guard('a measurement', () => context.device.createBindGroup({ layout, entries }))
    const ms = await stopwatch.time({ pipeline, group, workgroups })
    // The first is the usual one: the others have to be clearly faster.
    if (place === 0 || ms * gainMin < best.ms) best = { name, ms }
  }
  return best.name
}
