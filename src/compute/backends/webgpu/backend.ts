/**
 * The WebGPU backend: Dawn's Node bindings over Vulkan, Metal or Direct3D.
 *
 *     const backend = await createWebGpuBackend()           // inside a process of its own
 *     const executable = await backend.compile(program, weights)
 *     const { logits } = await executable.run({ image: pixels })
 *
 * Invariant: whatever the driver does becomes a PeerError of kind `resource` that may be retried elsewhere, so that
 * work moves to another backend. Call it in a process made for it, and end that process by `process.exit`: Dawn spins
 * a core while it waits, and its teardown has crashed.
 */
import type { PeerError } from '../../../base/errors.ts'
import type { Program } from '../../engine/program.ts'
import type { Backend } from '../types.ts'
import { measureCeilings } from './ceilings.ts'
import { type AdapterChoice, type AdapterFacts, openGpu, type Precision } from './device.ts'
import { compileProgram } from './executable.ts'
import { planHalves } from './halves.ts'
import { bufferMaxOf, createWeightStore } from './memory.ts'
import { createPipelineCache } from './shaders.ts'
import { subgroupSize } from './subgroups.ts'
import { type GpuTable, webGpuTable } from './table.ts'
import { openTileCache } from './tile-cache.ts'
import { createTuner } from './tuner.ts'

export type { AdapterChoice, AdapterFacts, Precision } from './device.ts'
export { type ProbeInit, probeWebGpu, type WebGpuProbe } from './probe.ts'

/** Raised with every change that may change a bit of any kernel's result. */
const kernelVersion = 2

/** How tiles are chosen for the shapes of a network; no choice changes a bit of a result. */
export interface TuningInit {
  /** Where choices are remembered by adapter and driver, such as `gpu-tiles.json`; default: in this process alone. */
  file?: string
  /**
   * Milliseconds that this backend may spend on measuring, all programs together; beyond that, usual tiles are taken.
   * Default 10 s on hardware; on a software adapter 0, where tiles are not for speed.
   */
  budgetMs?: number
}

const tuningBudgetMs = 10_000

export interface WebGpuInit {
  /** Default `any`; `hardware` refuses a software adapter, where WASM is faster. */
  adapter?: AdapterChoice
  /**
   * Default f32. f16 stores weights and what passes between kernels as float16, which halves memory and its traffic, and sums
   * in float32: a numeric class of its own, within 1e-2 of f32 in the relative L2 norm of a network's outputs.
   */
  precision?: Precision
  tuning?: TuningInit
  /** Replaces kernels; a test's canary gives a wrong one. */
  table?: GpuTable
}

export interface WebGpuBackend extends Backend {
  readonly name: 'webgpu'
  readonly adapter: AdapterFacts
  /** Resolves with `DEVICE_LOST` when the device is lost, by `dispose` too. */
  readonly lost: Promise<PeerError>
}

/**
 * Opens this machine's best adapter. Runs of its executables reject with `DEVICE_LOST` once the device is gone.
 * @throws PeerError WEBGPU_NO_ADAPTER, WEBGPU_SOFTWARE_ADAPTER, WEBGPU_NO_F16, WEBGPU_DEVICE_FAILED
 */
export async function createWebGpuBackend(init: WebGpuInit = {}): Promise<WebGpuBackend> {
  const precision = init.precision ?? 'f32'
  const context = await openGpu(init.adapter, precision)
  const { adapter } = context
  const pipelines = createPipelineCache(context)
  const cache = await openTileCache(`${adapter.name}/${adapter.driver}/${kernelVersion}`, init.tuning?.file)
  const budgetMs = init.tuning?.budgetMs ?? (adapter.isFallback ? 0 : tuningBudgetMs)
  const deps = {
    context,
    pipelines,
    halvesOf: precision === 'f16' ? planHalves : (program: Program) => program.buffers.map(() => false),
    tuner: createTuner({ context, pipelines, cache, budgetMs }),
    weightStore: createWeightStore(context),
    table:
      init.table ?? (adapter.isFallback ? webGpuTable('direct') : webGpuTable('tile', await subgroupSize(context))),
  }
  return {
    name: 'webgpu',
    layout: 'planes',
    bufferMax: bufferMaxOf(context),
    device: precision === 'f16' ? `${adapter.name} (f16)` : adapter.name,
    // Rounding is the adapter's and its compiler's: a driver may fuse a multiplication with an addition or not.
    numericClass: `webgpu/${adapter.name}/${adapter.driver}/${precision}/${kernelVersion}`,
    adapter,
    lost: context.whenLost,
    compile: (program, weights) => compileProgram(deps, program, weights),
    ceilings: () => measureCeilings(context),
    dispose: async () => {
      context.close()
      await context.whenLost
    },
  }
}
