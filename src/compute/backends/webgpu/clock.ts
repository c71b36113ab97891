/** The device's own clock: how long each of some passes takes there. */
import type { GpuContext } from './device.ts'
import { allocate } from './memory.ts'

/** Spans of time, each one pass's, of one submission at a time. */
export interface Clock {
  /** What the pass of this span writes. */
  writes(span: number): GPUComputePassTimestampWrites
  /** After the passes, in the same submission. */
  resolve(encoder: GPUCommandEncoder): void
  /** Milliseconds of each span, once the submission is done; undefined where the clock was set back in between. */
  read(): Promise<(number | undefined)[]>
  destroy(): void
}

/** The standard's limit of 4,096 queries in a set. */
export const spansMax = 2048
/** Begin and end, 8 bytes each. */
const spanBytes = 16

/** Undefined where the device has no timestamps, or not for so many spans. */
export function createClock(context: GpuContext, spans: number): Clock | undefined {
  const { device } = context
  if (!device.features.has('timestamp-query') || spans < 1 || spans > spansMax) return undefined
  const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage
  const querySet = device.createQuerySet({ type: 'timestamp', count: 2 * spans })
  const resolved = allocate(context, 'timestamps', spans * spanBytes, QUERY_RESOLVE | COPY_SRC)
  const readback = allocate(context, 'timestamps', spans * spanBytes, MAP_READ | COPY_DST)
  return {
    writes: span => ({ querySet, beginningOfPassWriteIndex: 2 * span, endOfPassWriteIndex: 2 * span + 1 }),
    resolve(encoder) {
      encoder.resolveQuerySet(querySet, 0, 2 * spans, resolved, 0)
      encoder.copyBufferToBuffer(resolved, 0, readback, 0, spans * spanBytes)
    },
    async read() {
      await readback.mapAsync(GPUMapMode.READ)
      const times = new BigInt64Array(readback.getMappedRange().slice(0))
      readback.unmap()
      return Array.from({ length: spans }, (_, span) => {
        const ns = times[2 * span + 1] - times[2 * span]
        return ns >= 0n ? Number(ns) / 1e6 : undefined
      })
    },
    destroy() {
      querySet.destroy()
      resolved.destroy()
      readback.destroy()
    },
  }
}
