/**
 * One WebGPU device, opened through Dawn's Node bindings, with its errors made typed.
 *
 * Invariant: nothing that Dawn reports passes this file as anything but a `PeerError` of kind `resource` that may be
 * retried elsewhere, so that the work of a device that is not there, or dies, can move to another backend.
 *
 * Dawn's event loop spins a core while a promise is pending, and its teardown has crashed (node-webgpu issue 18): open
 * a device in a process of its own, and leave that process by `process.exit`.
 * Source: https://www.w3.org/TR/webgpu/ (errors and loss: sections 4.4 and 22).
 */
import { tmpdir } from 'node:os'
import { create, globals } from 'webgpu'
import { PeerError } from '../../../base/errors.ts'

/** Which adapters will do. */
export type AdapterChoice =
  /** The best there is, a software adapter (SwiftShader, lavapipe) too: who opens WebGPU has asked for it. */
  | 'any'
  /** Hardware only: on a software adapter our WASM kernels are faster. */
  | 'hardware'

/** How weights and what passes between kernels are stored; sums are float32's in either. */
export type Precision = 'f32' | 'f16'

/** What a person and the tuner need to know of an adapter. */
export interface AdapterFacts {
  /** For people: `NVIDIA RTX 4070`. */
  name: string
  vendor: string
  architecture: string
  /** Driver and its version, as the driver says it. */
  driver: string
  /** True for an adapter that computes on the CPU. */
  isFallback: boolean
  /** Whether it can store float16. */
  hasHalf: boolean
  /** Lanes of the smallest subgroup that it forms; 0: none that shaders can use. */
  subgroupMin: number
}

/** An open device. `close` ends it; afterwards every call rejects with `DEVICE_LOST`. */
export interface GpuContext {
  readonly device: GPUDevice
  readonly adapter: AdapterFacts
  /** Set once the device is lost, whatever the reason. */
  lost(): PeerError | undefined
  /** The same as a promise, which never rejects. */
  readonly whenLost: Promise<PeerError>
  /**
   * Runs `work` and throws what went wrong in it as a PeerError: `WEBGPU_INVALID`, `WEBGPU_OUT_OF_MEMORY`,
   * `DEVICE_LOST`, `WEBGPU_FAILED`. Error scopes cover what `work` does before its first await; after that,
   * its own rejections. `what` names the work in the message. Calls may overlap.
   */
  guard<T>(what: string, work: () => T | Promise<T>): Promise<T>
  close(): void
}

/**
 * Asked of the device as far as the adapter goes, because they depend on the network alone. In all else kernels do with
 * the standard's defaults, so that what compiles on one device compiles on every other.
 */
const limitsWanted = ['maxBufferSize', 'maxStorageBufferBindingSize'] as const

/** Taken where the adapter has them; all work is done without them too. */
const featuresWelcome = ['timestamp-query', 'subgroups'] as const satisfies GPUFeatureName[]

/**
 * Opens the best adapter's device. Throws PeerError: `WEBGPU_NO_ADAPTER`, `WEBGPU_SOFTWARE_ADAPTER`,
 * `WEBGPU_NO_F16`, `WEBGPU_DEVICE_FAILED`.
 */
export async function openGpu(choice: AdapterChoice = 'any', precision: Precision = 'f32'): Promise<GpuContext> {
  const adapter = await requestAdapter()
  const facts = adapterFacts(adapter)
  if (choice === 'hardware' && facts.isFallback) {
    throw new PeerError({
      code: 'WEBGPU_SOFTWARE_ADAPTER',
      kind: 'resource',
      retry: 'elsewhere',
      message: `the only WebGPU adapter computes on the CPU (${facts.name}), where the WASM kernels are faster; ask for webgpu by name to use it all the same`,
      details: { adapter: facts.name },
    })
  }
  if (precision === 'f16' && !facts.hasHalf) {
    const message = `${facts.name} cannot store half precision; leave out --precision f16, or use a newer GPU or driver`
    throw gpuError('WEBGPU_NO_F16', message, undefined, { adapter: facts.name })
  }
  let device: GPUDevice
  try {
    const requiredFeatures: GPUFeatureName[] = featuresWelcome.filter(feature => adapter.features.has(feature))
    if (precision === 'f16') requiredFeatures.push('shader-f16')
    device = await adapter.requestDevice({
      label: 'shardmesh',
      requiredLimits: wantedLimits(adapter),
      requiredFeatures,
    })
  } catch (thrown) {
    throw gpuError('WEBGPU_DEVICE_FAILED', `${facts.name} gave no WebGPU device: ${oneLine(thrown)}`, thrown)
  }
  return createContext(device, facts)
}

// One instance for the life of the process: collecting it while a device lives has crashed Dawn.
let instance: GPU | undefined

/**
 * Dawn hides float16 on NVIDIA unless it is asked for (it concerns devices that ask for the feature, no others), and rounds
 * timestamps to 65 us, which is for pages that nobody knows.
 */
const instanceFlags = [
  'enable-dawn-features=vulkan_enable_f16_on_nvidia',
  'disable-dawn-features=timestamp_quantization',
]

async function requestAdapter(): Promise<GPUAdapter> {
  let adapter: GPUAdapter | null
  try {
    if (instance === undefined) {
      // GPUBufferUsage, GPUMapMode and the error classes are globals in the standard.
      Object.assign(globalThis, globals)
      // Some Vulkan drivers refuse to start without one, as in services and containers.
      process.env.XDG_RUNTIME_DIR ??= tmpdir()
      instance = create(instanceFlags)
    }
    adapter = await instance.requestAdapter({ powerPreference: 'high-performance' })
  } catch (thrown) {
    throw gpuError('WEBGPU_NO_ADAPTER', `WebGPU could not start: ${oneLine(thrown)}`, thrown)
  }
  if (adapter === null) {
    throw gpuError('WEBGPU_NO_ADAPTER', 'WebGPU finds no adapter; `peer doctor` says which driver to install')
  }
  return adapter
}

function adapterFacts(adapter: GPUAdapter): AdapterFacts {
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info
  return {
    name: device.replace(/[-\s]+$/, '') || `${vendor} ${architecture}`.trim() || 'unnamed adapter',
    vendor,
    architecture,
    driver: description,
    isFallback: isFallbackAdapter,
    hasHalf: adapter.features.has('shader-f16'),
    subgroupMin: adapter.features.has('subgroups') ? adapter.info.subgroupMinSize : 0,
  }
}

function wantedLimits(adapter: GPUAdapter): Record<string, number> {
  return Object.fromEntries(limitsWanted.map(name => [name, adapter.limits[name]]))
}

function createContext(device: GPUDevice, adapter: AdapterFacts): GpuContext {
  let lost: PeerError | undefined
  const loss = device.lost.then(info => {
    lost = gpuError('DEVICE_LOST', `the WebGPU device is gone (${info.reason}): ${oneLine(info.message)}`)
    return lost
  })
  // What no scope catches would otherwise be printed by Dawn, at any time, to nobody.
  device.addEventListener('uncapturederror', event => event.preventDefault())

  const guard = async <T>(what: string, work: () => T | Promise<T>): Promise<T> => {
    if (lost) throw lost
    // Scopes are one stack for the whole device: they are closed before anything is awaited, so that no two calls mix.
    for (const filter of scopes) device.pushErrorScope(filter)
    const started = start(work)
    const popped = scopes.map(() => device.popErrorScope())
    const outcome = await settle(started)
    const caught = await firstError(popped)
    // A lost device fails first in other ways: give its loss, already under way, the time to be told.
    if (!outcome.ok || caught) await Promise.race([loss, shortPause()])
    if (lost) throw lost
    if (caught) throw scopeError(what, caught)
    if (!outcome.ok) throw asyncError(what, outcome.thrown)
    return outcome.value
  }
  return { device, adapter, lost: () => lost, whenLost: loss, guard, close: () => device.destroy() }
}

const scopes = ['validation', 'out-of-memory', 'internal'] as const satisfies GPUErrorFilter[]

async function firstError(popped: Promise<GPUError | null>[]): Promise<GPUError | undefined> {
  const results = await Promise.allSettled(popped)
  for (const result of results) if (result.status === 'fulfilled' && result.value !== null) return result.value
  return undefined
}

type Outcome<T> = { ok: true; value: T } | { ok: false; thrown: unknown }

/** A synchronous throw as a rejection. */
async function start<T>(work: () => T | Promise<T>): Promise<T> {
  return work()
}

async function settle<T>(promise: Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await promise }
  } catch (thrown) {
    return { ok: false, thrown }
  }
}

function asyncError(what: string, thrown: unknown): PeerError {
  if (thrown instanceof PeerError) return thrown
  return gpuError('WEBGPU_FAILED', `WebGPU failed at ${what}: ${oneLine(thrown)}`, thrown)
}

function scopeError(what: string, error: GPUError): PeerError {
  const noMemory = error instanceof GPUOutOfMemoryError
  const code = noMemory ? 'WEBGPU_OUT_OF_MEMORY' : 'WEBGPU_INVALID'
  const advice = noMemory ? 'use a smaller batch' : 'please report this'
  return gpuError(code, `WebGPU refused ${what} (${advice}): ${oneLine(error.message)}`, undefined, {
    message: error.message,
  })
}

/** A PeerError as this backend throws them: another backend or peer may do the work. */
export function gpuError(code: string, message: string, cause?: unknown, details?: Record<string, unknown>): PeerError {
  return new PeerError({ code, kind: 'resource', retry: 'elsewhere', message, details, cause })
}

function oneLine(thrown: unknown): string {
  // Some of Dawn's errors have a name and no message.
  const text = thrown instanceof Error ? thrown.message || thrown.name : String(thrown)
  return text.replace(/\s+/g, ' ').trim().slice(0, 300)
}

function shortPause(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, 20))
}
