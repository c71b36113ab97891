/**
 * How long a dispatch takes on the device: by its own clock where the adapter has timestamps, else from the submission until
 * the queue is done, over so many dispatches that neither the clock's grain nor the submission counts.
 */
import { type Clock, createClock } from './clock.ts'
import type { GpuContext } from './device.ts'

export interface Timed {
  pipeline: GPUComputePipeline
  group: GPUBindGroup
  workgroups: readonly [x: number, y: number, z: number]
}

export interface Stopwatch {
  /** Milliseconds of one dispatch, the best of a few turns. Throws PeerError as `GpuContext.guard`. */
  time(dispatch: Timed): Promise<number>
  destroy(): void
}

/** Long beside a clock's grain and what a submission takes, some 65 us. */
const wantedMs = 4
const dispatchesMax = 64
const turns = 3

export function createStopwatch(context: GpuContext): Stopwatch {
  const clock = createClock(context, 1)
  const run = (dispatch: Timed, count: number) => runDispatches(context, clock, dispatch, count)
  return {
    async time(dispatch) {
      // The first one may finish the compilation, or wake the device.
      await run(dispatch, 1)
      let best = await run(dispatch, 1)
      const count = Math.min(dispatchesMax, Math.ceil(wantedMs / Math.max(best, wantedMs / dispatchesMax)))
      if (count === 1) return best
      for (let turn = 0; turn < turns; turn++) {
        const ms = (await run(dispatch, count)) / count
        best = turn === 0 ? ms : Math.min(best, ms)
      }
      return best
    },
    destroy: () => clock?.destroy(),
  }
}

function runDispatches(
  { device, guard }: GpuContext,
  clock: Clock | undefined,
  { pipeline, group, workgroups }: Timed,
  count: number,
): Promise<number> {
  return guard('a measurement', async () => {
    const encoder = device.createCommandEncoder()
    const pass = encoder.beginComputePass(clock && { timestampWrites: clock.writes(0) })
    pass.setPipeline(pipeline)
    pass.setBindGroup(0, group)
    for (let i = 0; i < count; i++) pass.dispatchWorkgroups(...workgroups)
    pass.end()
    clock?.resolve(encoder)
    const startMs = performance.now()
    device.queue.submit([encoder.finish()])
    await device.queue.onSubmittedWorkDone()
    const elapsedMs = performance.now() - startMs
    const [deviceMs] = (await clock?.read()) ?? []
    // A clock that stood still tells nothing.
    return deviceMs || elapsedMs
  })
}
