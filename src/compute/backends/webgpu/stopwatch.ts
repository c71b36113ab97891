/**
 * How long a dispatch takes on the device: by its own clock where the adapter has timestamps, else from the submission until
 * the queue is done, over so many dispatches that neither the clock's grain nor the submission counts.
 */
import type { GpuContext } from './device.ts'
import { allocate } from './memory.ts'

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

/** Timestamps may be rounded to 65 us, a submission takes about as long. */
const wantedMs = 4
const dispatchesMax = 64
const turns = 3

export function createStopwatch(context: GpuContext): Stopwatch {
  const clock = context.device.features.has('timestamp-query') ? createClock(context) : undefined
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

/** Two timestamps and how they come back. */
interface Clock {
  writes: GPUComputePassTimestampWrites
  resolve(encoder: GPUCommandEncoder): void
  /** Milliseconds between them; undefined where the device's clock was set back in between. */
  read(): Promise<number | undefined>
  destroy(): void
}

function createClock(context: GpuContext): Clock {
  const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage
  const querySet = context.device.createQuerySet({ type: 'timestamp', count: 2 })
  const resolved = allocate(context, 'timestamps', 16, QUERY_RESOLVE | COPY_SRC)
  const readback = allocate(context, 'timestamps', 16, MAP_READ | COPY_DST)
  return {
    writes: { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
    resolve(encoder) {
      encoder.resolveQuerySet(querySet, 0, 2, resolved, 0)
      encoder.copyBufferToBuffer(resolved, 0, readback, 0, 16)
    },
    async read() {
      await readback.mapAsync(GPUMapMode.READ)
      const [begin, end] = new BigInt64Array(readback.getMappedRange().slice(0))
      readback.unmap()
      return end > begin ? Number(end - begin) / 1e6 : undefined
    },
    destroy() {
      querySet.destroy()
      resolved.destroy()
      readback.destroy()
    },
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
    const pass = encoder.beginComputePass(clock && { timestampWrites: clock.writes })
    pass.setPipeline(pipeline)
    pass.setBindGroup(0, group)
    for (let i = 0; i < count; i++) pass.dispatchWorkgroups(...workgroups)
    pass.end()
    clock?.resolve(encoder)
    const startMs = performance.now()
    device.queue.submit([encoder.finish()])
    await device.queue.onSubmittedWorkDone()
    const elapsedMs = performance.now() - startMs
    return (await clock?.read()) ?? elapsedMs
  })
}
