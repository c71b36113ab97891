/** Whether a device's subgroups are such that the lanes of a line can join in them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../../base/package-root.ts'
import { lanes } from './call.ts'
import type { GpuContext } from './device.ts'
import { allocate } from './memory.ts'

/** Enough that they meet on every part of a small device. */
const workgroups = 256

/**
 * Lanes of the smallest subgroup that the device forms; 0 where it has none, or forms them of lanes that are no neighbours.
 * @throws PeerError as `GpuContext.guard`
 */
export async function subgroupSize(context: GpuContext): Promise<number> {
  const { device, adapter } = context
  const size = device.features.has('subgroups') ? adapter.subgroupMin : 0
  if (size < 2) return 0
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage
  const wrong = allocate(context, 'the places of lanes', 4, STORAGE | COPY_SRC)
  const readback = allocate(context, 'the places of lanes', 4, MAP_READ | COPY_DST)
  try {
    return await context.guard('a look at its subgroups', async () => {
      const source = readFileSync(join(packageRoot, 'shaders/measure/subgroups.wgsl'), 'utf8')
      const code = `enable subgroups;\nconst LANES = ${lanes}u;\nconst SUBGROUP = ${size}u;\n${source}`
      const module = device.createShaderModule({ code })
      const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module } })
      const entries = [{ binding: 0, resource: { buffer: wrong } }]
      const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries })
      const encoder = device.createCommandEncoder()
      const pass = encoder.beginComputePass()
      pass.setPipeline(pipeline)
      pass.setBindGroup(0, group)
      pass.dispatchWorkgroups(workgroups)
      pass.end()
      encoder.copyBufferToBuffer(wrong, 0, readback, 0, 4)
      device.queue.submit([encoder.finish()])
      await readback.mapAsync(GPUMapMode.READ)
      return new Uint32Array(readback.getMappedRange())[0] === 0 ? size : 0
    })
  } finally {
    wrong.destroy()
    readback.destroy()
  }
}
