/** What one thread does at best: multiply-adds in the width that its kernels have, and a copy far beyond caches. */
import { median } from '../../../base/statistics.ts'
import type { Ceilings } from '../types.ts'
import type { WasmRuntime } from './runtime.ts'

const turns = 7
const rounds = 200_000
/** Accumulators that one round advances: twelve vectors of four, twice as many where V8 pairs them. */
const narrowFloats = 48
const copyBytes = 64 * 1024 * 1024

export function measureCeilings({ memory, shared, function: named }: WasmRuntime): Ceilings {
  const wide = shared.wide ? 1 : 0
  const operands = memory.allocate(64)
  const sums = memory.allocate(384)
  try {
    // Values that stay what they are: subnormal numbers and infinities would cost more on some machines.
    memory.floats(operands.offset, 16).fill(0)
    const ceiling = named('ceiling')
    const seconds = medianSeconds(() => ceiling(operands.offset, sums.offset, rounds, wide))
    return {
      flopsPerSecond: (rounds * 2 * narrowFloats * (1 + wide)) / seconds,
      bytesPerSecond: (2 * copyBytes) / copySeconds(),
    }
  } finally {
    operands.release()
    sums.release()
  }
}

function copySeconds(): number {
  const [from, to] = [new Uint8Array(copyBytes).fill(1), new Uint8Array(copyBytes).fill(2)]
  return medianSeconds(() => to.set(from))
}

function medianSeconds(work: () => void): number {
  work()
  const times = Array.from({ length: turns }, () => {
    const started = performance.now()
    work()
    return (performance.now() - started) / 1000
  })
  return median(times)
}
