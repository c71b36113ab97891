/**
 * A program on a WebGPU device: compiled to prebuilt dispatches, run as one encoder, one pass and one submit a batch.
 *
 * Invariant: a run does no shape logic and creates no pipeline, bind group or (after the first few) buffer. Runs that
 * are started together overlap: uploads, work and copies are ordered by the device's queue, and each run has a staging
 * buffer of its own.
 */
import { assert, PeerError } from '../../../base/errors.ts'
import {
  bufferAlignment,
  checkProgram,
  type Program,
  type StepOf,
  stepCost,
  type Weight,
} from '../../engine/program.ts'
import type { KernelName, Unsupported } from '../../kernels/index.ts'
import { takeInputs } from '../ports.ts'
import type { Executable, RunInputs, RunOutputs } from '../types.ts'
import { type Clock, createClock, spansMax } from './clock.ts'
import type { GpuContext } from './device.ts'
import {
  allocate,
  createStagingPool,
  packParams,
  type StagingLayout,
  slotBytes,
  stagingLayout,
  upload,
  type WeightStore,
} from './memory.ts'
import { type PipelineCache, withHalves } from './shaders.ts'
import type { Call, GpuTable, Implementation } from './table.ts'
import type { TunableStep, Tuner } from './tuner.ts'

/** What all executables of one backend share. */
export interface ExecutableDeps {
  context: GpuContext
  pipelines: PipelineCache
  weightStore: WeightStore
  table: GpuTable
  tuner: Tuner
  /** For each of a program's buffers whether it is stored as float16. */
  halvesOf: (program: Program) => boolean[]
}

interface Dispatch {
  /** The program's step. */
  index: number
  pipeline: GPUComputePipeline
  group: GPUBindGroup
  workgroups: Call['workgroups']
}

/** A step with its calls known and its parameters packed. */
interface PlannedStep {
  call: Call
  key: string
  cost: number
  params: Uint8Array<ArrayBuffer>
  inputs: (number | null)[]
  output: number
  /** Its place in the program. */
  index: number
}

/** Throws PeerError: `MODEL_UNSUPPORTED_KERNEL`, or as `GpuContext.guard`. */
export async function compileProgram(
  deps: ExecutableDeps,
  program: Program,
  weights: readonly Weight[],
): Promise<Executable> {
  checkProgram(program, weights)
  const { context, weightStore } = deps
  const halves = deps.halvesOf(program)
  const planned = program.steps
    .map((step, index) => ({ index, ...planStep(deps.table, step, halves) }))
    .filter(step => !step.call.workgroups.includes(0))
  const acquired: [weight: Weight, half: boolean][] = []
  const owned: GPUBuffer[] = []
  const free = () => {
    for (const weight of acquired.splice(0)) weightStore.release(...weight)
    for (const buffer of owned.splice(0)) buffer.destroy()
  }
  try {
    const { buffers, steps } = await context.guard("a program's memory", () => {
      const slots = createSlots(context, program, slotBytes(program, halves), owned)
      const all = program.buffers.map((buffer, index) => {
        if (buffer.kind !== 'weight') return slots[buffer.slot]
        const stored = weightStore.acquire(weights[buffer.weight], halves[index])
        acquired.push([weights[buffer.weight], halves[index]])
        return stored
      })
      return { buffers: all, steps: bindSteps(context, planned, all, owned) }
    })
    const calls = await deps.tuner.choose(steps)
    const compiled = await Promise.all(calls.map(call => deps.pipelines.get(call.variant)))
    return await context.guard('the compiled program', () => {
      const dispatches = steps.map(({ entries }, place): Dispatch => {
        const { pipeline, layout } = compiled[place]
        const group = context.device.createBindGroup({ layout, entries })
        return { index: planned[place].index, pipeline, group, workgroups: calls[place].workgroups }
      })
      return createExecutable(context, program, buffers, dispatches, free)
    })
  } catch (thrown) {
    free()
    throw thrown
  }
}

function planStep<K extends KernelName>(
  table: GpuTable,
  step: StepOf<K>,
  halves: readonly boolean[],
): Omit<PlannedStep, 'index'> {
  const implementation: Implementation<K> | Unsupported = table[step.kernel]
  const call = 'unsupported' in implementation ? implementation : implementation(step.params)
  if ('unsupported' in call) {
    throw new PeerError({
      code: 'MODEL_UNSUPPORTED_KERNEL',
      kind: 'model',
      retry: 'elsewhere',
      message: `${step.name} needs the kernel ${step.kernel}, which WebGPU lacks: ${call.unsupported}`,
    })
  }
  const { inputs, output } = step
  const half = [...inputs.map(input => input !== null && halves[input]), halves[output]]
  const stored = (one: Call): Call => ({ ...one, variant: withHalves(one.variant, half) })
  const { shader, operands } = call.variant
  // What changes how long it takes: the shape, and how the operands are stored and read.
  const key = `${shader} ${Object.values(step.params).join(' ')} ${operands.map(({ four }, place) => `${four ? 4 : 1}${half[place] ? 'h' : ''}`).join('')}`
  const cost = stepCost(step).flops
  return {
    call: { ...stored(call), others: call.others?.map(stored) },
    key,
    cost,
    params: packParams(step.kernel, step.params),
    inputs,
    output,
  }
}

function createSlots(context: GpuContext, program: Program, slots: readonly number[], owned: GPUBuffer[]): GPUBuffer[] {
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage
  const rows = program.batch === 1 ? 'a single row' : `${program.batch} rows`
  return slots.map(bytes => {
    const buffer = allocate(context, `a tensor of ${rows}`, bytes, STORAGE | COPY_SRC | COPY_DST)
    owned.push(buffer)
    return buffer
  })
}

/** The steps with what they bind: operands, then parameters. */
function bindSteps(
  context: GpuContext,
  planned: PlannedStep[],
  buffers: GPUBuffer[],
  owned: GPUBuffer[],
): TunableStep[] {
  const { device } = context
  const { STORAGE, UNIFORM, COPY_DST } = GPUBufferUsage
  // One buffer for all parameters, each at an offset that uniforms may have; and one for operands that are absent.
  const uniforms = allocate(context, 'parameters', Math.max(1, planned.length) * bufferAlignment, UNIFORM | COPY_DST)
  const absent = allocate(context, 'an absent operand', bufferAlignment, STORAGE)
  owned.push(uniforms, absent)
  return planned.map(({ call, key, cost, params, inputs, output }, place) => {
    const offset = place * bufferAlignment
    device.queue.writeBuffer(uniforms, offset, params)
    const bound = [...inputs.map(input => (input === null ? absent : buffers[input])), buffers[output]]
    const entries: GPUBindGroupEntry[] = bound.map((buffer, binding) => ({ binding, resource: { buffer } }))
    entries.push({ binding: bound.length, resource: { buffer: uniforms, offset, size: params.byteLength } })
    return { call, key, cost, entries }
  })
}

function createExecutable(
  context: GpuContext,
  program: Program,
  buffers: GPUBuffer[],
  dispatches: Dispatch[],
  free: () => void,
): Executable {
  const { device, guard } = context
  const layout = stagingLayout(program)
  const staging = createStagingPool(context, layout.bytes)
  // Milliseconds that the last batch took from its submission.
  let lastMs = 0
  /** Batches under way: their buffers go with the last of them. */
  let running = 0
  let disposed = false

  function destroy(): void {
    staging.destroy()
    free()
  }

  async function run(inputs: RunInputs, clock?: Clock): Promise<RunOutputs> {
    assert(!disposed, 'an executable runs before it is disposed of')
    running++
    try {
      return await batch(inputs, clock)
    } finally {
      if (--running === 0 && disposed) destroy()
    }
  }

  async function batch(inputs: RunInputs, clock?: Clock): Promise<RunOutputs> {
    const taken = takeInputs(program, inputs)
    const readback = await staging.acquire()
    try {
      return await guard('a batch', () => {
        for (const { port, data } of taken) upload(device, buffers[port.buffer], data)
        device.queue.submit([encode(device, dispatches, buffers, layout, readback, clock)])
        const startMs = performance.now()
        return sleepThrough(lastMs).then(async () => {
          const outputs = await collect(readback, layout)
          lastMs = performance.now() - startMs
          return outputs
        })
      })
    } finally {
      staging.release(readback)
    }
  }

  async function profile(inputs: RunInputs): Promise<{ outputs: RunOutputs; stepMs: number[] }> {
    const clock = createClock(context, dispatches.length)
    const outputs = await run(inputs, clock)
    const stepMs = program.steps.map(() => 0)
    const spans = (await clock?.read()) ?? []
    for (const [place, { index }] of dispatches.entries()) stepMs[index] = spans[place] ?? 0
    clock?.destroy()
    return { outputs, stepMs }
  }

  const clocked = device.features.has('timestamp-query') && dispatches.length <= spansMax
  return {
    program,
    run: inputs => run(inputs),
    ...(clocked && dispatches.length > 0 && { profile }),
    dispose() {
      if (disposed) return
      disposed = true
      if (running === 0) destroy()
    },
  }
}

/** With a clock every dispatch is a pass of its own, which it times. */
function encode(
  device: GPUDevice,
  dispatches: Dispatch[],
  buffers: GPUBuffer[],
  layout: StagingLayout,
  readback: GPUBuffer,
  clock?: Clock,
): GPUCommandBuffer {
  const encoder = device.createCommandEncoder()
  for (const [place, group] of (clock ? dispatches.map(one => [one]) : [dispatches]).entries()) {
    const pass = encoder.beginComputePass(clock && { timestampWrites: clock.writes(place) })
    let current: GPUComputePipeline | undefined
    for (const { pipeline, group: bound, workgroups } of group) {
      if (pipeline !== current) pass.setPipeline(pipeline)
      current = pipeline
      pass.setBindGroup(0, bound)
      pass.dispatchWorkgroups(...workgroups)
    }
    pass.end()
  }
  for (const part of layout.parts) {
    if (part.bytes > 0) encoder.copyBufferToBuffer(buffers[part.buffer], 0, readback, part.offset, part.bytes)
  }
  clock?.resolve(encoder)
  return encoder.finish()
}

/** Below this a batch is over before sleeping would save anything. */
const sleepMsMin = 10

/**
 * Dawn spins a core while a promise of its own is pending, which on a software adapter or a small machine is a core that
 * should compute. So most of the time that the last batch took is slept through first; should this one be quicker, the
 * next sleep is shorter.
 */
async function sleepThrough(lastMs: number): Promise<void> {
  if (lastMs >= sleepMsMin) await new Promise(resolve => setTimeout(resolve, lastMs * 0.75))
}

/** Waits for the copies and hands out arrays that are the caller's own. */
async function collect(readback: GPUBuffer, layout: StagingLayout): Promise<RunOutputs> {
  await readback.mapAsync(GPUMapMode.READ, 0, layout.bytes)
  const mapped = readback.getMappedRange(0, layout.bytes)
  const outputs: RunOutputs = {}
  for (const { name, offset, bytes } of layout.parts)
    outputs[name] = new Float32Array(mapped.slice(offset, offset + bytes))
  readback.unmap()
  return outputs
}
