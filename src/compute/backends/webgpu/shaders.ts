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

/** One of a kernel's storage buffers; its binding number is its place in the list. */
export interface Operand {
  /** As the contract and the shader call it. */
  name: string
  access: 'read' | 'write'
  /** Bound as an array of vectors of four elements. Default false. */
  four?: boolean
  /** What its elements are in memory; the kernels compute in float32. `u32` is for bits that pass. Default f32. */
  element?: ElementKind
}

export type ElementKind = 'f32' | 'f16' | 'u32'

/** Functions that several shaders share, in `shaders/common/`, put in front of the kernel's own file. */
export type Common =
  | 'activation'
  | 'arithmetic'
  | 'circular'
  | 'direct'
  | 'indices'
  | 'lines-shared'
  | 'lines-subgroup'
  | 'math'
  | 'store-four'
  | 'store-row'
  | 'tile'

/** A shader with its tile sizes and switches fixed. */
export interface Variant {
  /** Basename in `shaders/`: the kernel's name, or that and what it is good for. */
  shader: string
  common: readonly Common[]
  /** Prepended as `const NAME = value;`. Integers become u32; keep the keys in one order, they are the cache's key. */
  constants: Readonly<Record<string, number | boolean>>
  /** Storage buffers at bindings 0 …; the parameters follow as a uniform buffer. */
  operands: readonly Operand[]
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

/**
 * What an operand's elements are, under its name with a capital, and four of them: `alias A = f32;`, `alias A4 = vec4f;`.
 * `vec4f(A4(a[i]))` is four floats whatever they are, of one element four times.
 */
function aliases({ name, four, element = 'f32' }: Operand): string {
  const alias = name[0].toUpperCase() + name.slice(1)
  return `alias ${alias}4 = vec4<${element}>; alias ${alias} = ${four ? `${alias}4` : element};`
}

/** The variant's WGSL, as it is handed to Dawn: what it enables, constants, the operands' types, common functions, the kernel. */
export function variantSource({ shader, common, constants, operands }: Variant): string {
  const lines = Object.entries(constants).map(
    ([name, value]) => `const ${name} = ${typeof value === 'boolean' ? value : `${value}u`};`,
  )
  const enabled = operands.some(({ element }) => element === 'f16') ? ['enable f16;'] : []
  if (common.includes('lines-subgroup')) enabled.push('enable subgroups;')
  return [
    ...enabled,
    ...lines,
    ...operands.map(aliases),
    ...common.map(name => readShader(`common/${name}`)),
    readShader(shader),
  ].join('\n')
}

/** The same variant, with operands at these places stored as float16. */
export function withHalves(variant: Variant, halves: readonly boolean[]): Variant {
  if (!halves.includes(true)) return variant
  const element = (half: boolean): ElementKind => (half ? 'f16' : 'f32')
  return { ...variant, operands: variant.operands.map((one, place) => ({ ...one, element: element(halves[place]) })) }
}

export function createPipelineCache(context: GpuContext): PipelineCache {
  const pipelines = new Map<string, Promise<Pipeline>>()
  return {
    get(variant) {
      const key = `${variant.shader} ${JSON.stringify(variant.constants)} ${JSON.stringify(variant.operands)}`
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
    const layout = device.createBindGroupLayout({ label, entries: layoutEntries(variant.operands) })
    const module = device.createShaderModule({ label, code: variantSource(variant) })
    const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] })
    const compute = { module, entryPoint: 'main' }
    return { pipeline: await device.createComputePipelineAsync({ label, layout: pipelineLayout, compute }), layout }
  })
}

function layoutEntries(operands: readonly Operand[]): GPUBindGroupLayoutEntry[] {
  const visibility = GPUShaderStage.COMPUTE
  const entries: GPUBindGroupLayoutEntry[] = operands.map(({ access }, binding) => ({
    binding,
    visibility,
    buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' },
  }))
  return [...entries, { binding: operands.length, visibility, buffer: { type: 'uniform' } }]
}
