/**
 * The program of the probe's child process: opens the best adapter, lets it add two numbers, tells the parent over the
 * process channel, and leaves at once. What a driver does to this process, it does not do to the peer.
 */
import { PeerError } from '../../../base/errors.ts'
import { type AdapterFacts, type GpuContext, openGpu } from './device.ts'

/** The one message to the parent. */
export type ProbeMessage = { ok: true; adapter: AdapterFacts } | { ok: false; code: string; reason: string }

const source = /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> numbers: array<f32>;
@compute @workgroup_size(1) fn main() { numbers[2] = numbers[0] + numbers[1]; }`

/** An adapter that opens but cannot compute is not an adapter: 20 + 22 through upload, dispatch and readback. */
async function computes({ device, guard }: GpuContext): Promise<boolean> {
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage
  const sum = await guard('the probe', async () => {
    const numbers = device.createBuffer({ size: 16, usage: STORAGE | COPY_SRC | COPY_DST })
    const readback = device.createBuffer({ size: 16, usage: MAP_READ | COPY_DST })
    device.queue.writeBuffer(numbers, 0, new Float32Array([20, 22]))
    const module = device.createShaderModule({ code: source })
    const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module } })
    const layout = pipeline.getBindGroupLayout(0)
    const group = device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer: numbers } }] })
    const encoder = device.createCommandEncoder()
    const pass = encoder.beginComputePass()
    pass.setPipeline(pipeline)
    pass.setBindGroup(0, group)
    pass.dispatchWorkgroups(1)
    pass.end()
    encoder.copyBufferToBuffer(numbers, 0, readback, 0, 16)
    device.queue.submit([encoder.finish()])
    await readback.mapAsync(GPUMapMode.READ)
    return new Float32Array(readback.getMappedRange())[2]
  })
  return sum === 42
}

async function probe(): Promise<ProbeMessage> {
  try {
    const context = await openGpu('any')
    if (await computes(context)) return { ok: true, adapter: context.adapter }
    return { ok: false, code: 'WEBGPU_WRONG_SUM', reason: `${context.adapter.name} computes 20 + 22 wrongly` }
  } catch (thrown) {
    const error = PeerError.from(thrown, { code: 'WEBGPU_FAILED', kind: 'resource' })
    return { ok: false, code: error.code, reason: error.message }
  }
}

const message = await probe()
if (process.send) process.send(message, () => process.exit(0))
else process.exit(message.ok ? 0 : 1)
