/**
 * WGSL from `shaders/*.wgsl`, made into a variant by `const` and `alias` lines in front of it, and compiled once per
 * device.
 *
 * Invariant: two steps with the same shader, constants and bindings share one pipeline; nothing compiles while a batch
 * runs. Dawn keeps no pipelines on disk, so a process compiles each of its variants once.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../../base/package-root.ts'
import type { GpuContext } from './device.ts'

/** How a kernel uses one of its storage buffers; its binding number is its place in the list. */
export type Access = 'read' | 'write'

/** Functions that several shaders share, in `shaders/common/`, put in front of the kernel's own file. */
export type Common = 'activation' | 'arithmetic' | 'circular' | 'direct' | 'indices' | 'math' | 'store-row' | 'tile'

/** A shader with its tile sizes and switches fixed. */
export interface Variant {
  /** Basename in `shaders/`: the kernel's name. */
  shader: string
  common: readonly Common[]
  /** Prepended as `const NAME = value;`. Integers become u32; keep the keys in one order, they are the cache's key. */
  constants: Readonly<Record<string, number | boolean>>
  /** Storage buffers at bindings 0 …; the parameters follow as a uniform buffer. */
  access: readonly Access[]
}

/** A compiled variant. Group 0 holds everything. */
export interface Pipeline {
  pipeline: GPUComputePipeline
  layout: GPUBindGroupLayout
}

export interface PipelineCache {
  /** Compiles without blocking, or waits for whoever asked first. Throws PeerError as `GpuContext.guard`. */
  get(variant: Variant): Promise<Pipeline>
}

const sources = new Map<string, string>()

function readShader(name: string): string {
  let source = sources.get(name)
  if (source === undefined) {
    source = readFileSync(join(packageRoot, 'shaders', `${name}.wgsl`), 'utf8')
    sources.set(name, source)
  }
  return source
}

/** The variant's WGSL, as it is handed to Dawn: constants, common functions, the kernel. */
export function variantSource({ shader, common, constants }: Variant): string {
  const lines = Object.entries(constants).map(
    ([name, value]) => `const ${name} = ${typeof value === 'boolean' ? value : `${value}u`};`,
  )
  return [...lines, ...common.map(name => readShader(`common/${name}`)), readShader(shader)].join('\n')
}

export function createPipelineCache(context: GpuContext): PipelineCache {
  const pipelines = new Map<string, Promise<Pipeline>>()
  return {
    get(variant) {
      const key = `${variant.shader} ${JSON.stringify(variant.constants)} ${variant.access.join()}`
      let pipeline = pipelines.get(key)
      if (pipeline === undefined) {
        pipeline = compile(context, variant, key)
        pipelines.set(key, pipeline)
      }
      return pipeline
    },
  }
}

function compile({ device, guard }: GpuContext, variant: Variant, label: string): Promise<Pipeline> {
  return guard(`shader ${label}`, async () => {
    const layout = device.createBindGroupLayout({ label, entries: layoutEntries(variant.access) })
    const module = device.createShaderModule({ label, code: variantSource(variant) })
    const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] })
    const compute = { module, entryPoint: 'main' }
    return { pipeline: await device.createComputePipelineAsync({ label, layout: pipelineLayout, compute }), layout }
  })
}

function layoutEntries(access: readonly Access[]): GPUBindGroupLayoutEntry[] {
  const visibility = GPUShaderStage.COMPUTE
  const entries: GPUBindGroupLayoutEntry[] = access.map((kind, binding) => ({
    binding,
    visibility,
    buffer: { type: kind === 'read' ? 'read-only-storage' : 'storage' },
  }))
  return [...entries, { binding: access.length, visibility, buffer: { type: 'uniform' } }]
}
