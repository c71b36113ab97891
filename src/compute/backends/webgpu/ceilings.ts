/** What the whole device does at best: multiply-adds on registers, and a copy from buffer to buffer. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../../base/package-root.ts'
import { median } from '../../../base/statistics.ts'
import type { Ceilings } from '../types.ts'
import type { GpuContext } from './device.ts'
import { allocate } from './memory.ts'

const lanes = 64
/** Enough to fill any GPU; a software adapter has a few threads, for which it is too much. */
const workgroups = (isFallback: boolean) => (isFallback ? 64 : 16_384)
const flopsPerRound = 64
const turns = 5
/** Long enough that what a submission costs is small beside it. */
const wantedMs = 20
const copyBytes = 64 * 1024 * 1024
const copies = 4

/** @throws PeerError as `GpuContext.guard` */
export async function measureCeilings(context: GpuContext): Promise<Ceilings> {
  return context.guard('the measurement of its ceilings', async () => ({
    flopsPerSecond: await measureFlops(context),
    bytesPerSecond: await measureCopy(context),
  }))
}

async function measureFlops(context: GpuContext): Promise<number> {
  const { device, adapter } = context
  const groups = workgroups(adapter.isFallback)
  const { STORAGE, UNIFORM, COPY_DST } = GPUBufferUsage
  const y = allocate(context, 'the sums', groups * lanes * 4, STORAGE)
  const uniforms = allocate(context, 'parameters', 16, UNIFORM | COPY_DST)
  try {
    const source = readFileSync(join(packageRoot, 'shaders/measure/ceiling.wgsl'), 'utf8')
    const module = device.createShaderModule({ code: `const LANES = ${lanes}u;\n${source}` })
    const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module } })
    const entries = [y, uniforms].map((buffer, binding) => ({ binding, resource: { buffer } }))
    const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries })
    const run = (rounds: number) => {
      const params = new DataView(new ArrayBuffer(8))
      params.setUint32(0, rounds, true)
      params.setFloat32(4, 0.5, true)
      device.queue.writeBuffer(uniforms, 0, params.buffer)
      return timed(device, encoder => {
        const pass = encoder.beginComputePass()
        pass.setPipeline(pipeline)
        pass.setBindGroup(0, group)
        pass.dispatchWorkgroups(groups)
        pass.end()
      })
    }
    let rounds = 64
    while ((await run(rounds)) < wantedMs && rounds < 1 << 20) rounds *= 2
    const times: number[] = []
    for (let turn = 0; turn < turns; turn++) times.push(await run(rounds))
    return (groups * lanes * rounds * flopsPerRound * 1000) / median(times)
  } finally {
    y.destroy()
    uniforms.destroy()
  }
}

async function measureCopy(context: GpuContext): Promise<number> {
  const { COPY_SRC, COPY_DST } = GPUBufferUsage
  const [from, to] = [COPY_SRC | COPY_DST, COPY_DST].map(usage => allocate(context, 'a copy', copyBytes, usage))
  try {
    const run = () =>
      timed(context.device, encoder => {
        for (let i = 0; i < copies; i++) encoder.copyBufferToBuffer(from, 0, to, 0, copyBytes)
      })
    await run()
    const times: number[] = []
    for (let turn = 0; turn < turns; turn++) times.push(await run())
    return (2 * copies * copyBytes * 1000) / median(times)
  } finally {
    from.destroy()
    to.destroy()
  }
}

/** Milliseconds from the submission until the queue has done it. */
async function timed(device: GPUDevice, record: (encoder: GPUCommandEncoder) => void): Promise<number> {
  const encoder = device.createCommandEncoder()
  record(encoder)
  const commands = encoder.finish()
  const started = performance.now()
  device.queue.submit([commands])
  await device.queue.onSubmittedWorkDone()
  return performance.now() - started
}
