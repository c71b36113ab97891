/** What this machine computes with: WebGPU where there is a real GPU or where it was asked for, and WASM threads. */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { PeerError } from '../base/errors.ts'
import { probeWebGpu } from '../compute/backends/webgpu/probe.ts'
import type { PeerStatus } from '../mesh/types.ts'
import type { GpuOptions, LaneFacts } from './lanes/types.ts'

export interface DeviceOptions {
  /** `auto`: a real GPU and WASM; `webgpu`: any adapter, a software one too; `wasm`: no GPU. Default auto. */
  backend?: 'auto' | 'webgpu' | 'wasm'
  /** WASM threads; default one a core, one less beside a GPU, none with `webgpu`. 0 needs WebGPU. */
  workers?: number
  /** How the GPU stores weights and what passes between kernels; f16 needs one that can. Default f32. */
  precision?: 'f32' | 'f16'
}

export interface Devices {
  workers: number
  webgpu: boolean
  gpu?: GpuOptions
}

/**
 * @param options with the data folder, where the GPU's fastest tiles are remembered
 * @throws PeerError NO_LANE, NO_WEBGPU, NO_F16, TOO_MANY_WORKERS
 */
export async function chooseDevices(
  options: DeviceOptions & { data: string },
  warn: (message: string) => void,
): Promise<Devices> {
  const backend = options.backend ?? 'auto'
  const cores = availableParallelism()
  checkWorkers(options.workers, cores, warn)
  const gpu: GpuOptions = { precision: options.precision ?? 'f32', tilesFile: join(options.data, 'gpu-tiles.json') }
  if (backend === 'wasm') {
    if (gpu.precision === 'f16') throw noHalf('--backend wasm computes in float32 only')
    if (options.workers === 0) throw nothingToComputeWith()
    return { workers: options.workers ?? cores, webgpu: false }
  }
  const probe = await probeWebGpu()
  const wanted = backend === 'webgpu' || options.workers === 0
  if (probe.available && (wanted || !probe.isFallback)) {
    if (gpu.precision === 'f16' && !probe.hasHalf) throw noHalf(`${probe.adapter} cannot store half precision`)
    // A GPU lane keeps about one core busy with decoding and Dawn's event loop.
    return { workers: options.workers ?? (backend === 'webgpu' ? 0 : Math.max(0, cores - 1)), webgpu: true, gpu }
  }
  if (wanted) {
    throw new PeerError({
      code: 'NO_WEBGPU',
      kind: 'resource',
      message: `no WebGPU here: ${probe.reason ?? 'no adapter'}${probe.hint ? `; ${probe.hint}` : ''}; or start with --backend wasm`,
    })
  }
  if (gpu.precision === 'f16') throw noHalf('there is no GPU here, and the CPU computes in float32')
  if (probe.available && probe.isFallback)
    warn(`${probe.adapter} is a software GPU: computing with WASM; --backend webgpu uses it all the same`)
  return { workers: options.workers ?? cores, webgpu: false }
}

/** Beyond it workers only take memory: each has a thread, a heap and buffers of its own. */
const workersACore = 8

/** Absurd numbers are refused, odd ones are told. */
function checkWorkers(workers = 0, cores: number, warn: (message: string) => void): void {
  if (workers <= cores) return
  const has = `this machine has ${cores} ${cores === 1 ? 'core' : 'cores'}`
  if (workers <= Math.max(16, workersACore * cores)) {
    warn(`${workers} CPU workers, and ${has}: they take turns, and memory each`)
    return
  }
  throw new PeerError({
    code: 'TOO_MANY_WORKERS',
    kind: 'input',
    message: `${workers} CPU workers are too many, for ${has}: leave --workers out for one a core`,
    details: { field: 'workers', workers, cores },
  })
}

function noHalf(why: string): PeerError {
  return new PeerError({ code: 'NO_F16', kind: 'resource', message: `${why}: leave out --precision f16` })
}

function nothingToComputeWith(): PeerError {
  return new PeerError({
    code: 'NO_LANE',
    kind: 'input',
    message: '--workers 0 means WebGPU only, and --backend wasm excludes it: leave one of them out',
  })
}

/** The lanes as a peer's heartbeat states them. */
export function describeDevices(lanes: readonly LaneFacts[]): Pick<PeerStatus, 'device' | 'backend' | 'slots'> {
  const gpu = lanes.filter(lane => lane.backend === 'webgpu')
  const cpu = lanes.filter(lane => lane.backend === 'wasm')
  const parts = gpu.map(lane => `GPU ${lane.device}`)
  if (cpu.length > 0) parts.push(`${cpu.length} CPU ${cpu.length === 1 ? 'worker' : 'workers'} (${cpu[0].device})`)
  const backend = gpu.length > 0 ? (cpu.length > 0 ? 'both' : 'webgpu') : cpu.length > 0 ? 'wasm' : 'none'
  return { device: parts.join(' + ') || 'none', backend, slots: lanes.length }
}
