/**
 * Dawn's null backend: a device that has every standard feature, the standard's default limits, and computes nothing. It says
 * on any machine, without a driver, whether a shader is valid and a pipeline within those limits.
 */
import { create, globals } from 'webgpu'
import { type Variant, variantSource } from '../../src/compute/backends/webgpu/shaders.ts'

// Held for the life of the process: Dawn crashes when an instance is collected before its devices.
let instance: GPU | undefined

/** With float16 and subgroups. */
export async function openNullDevice(): Promise<GPUDevice> {
  Object.assign(globalThis, globals)
  instance ??= create(['backend=null'])
  const adapter = await instance.requestAdapter()
  if (!adapter) throw new Error('Dawn has lost its null backend')
  return adapter.requestDevice({ requiredFeatures: ['shader-f16', 'subgroups'] })
}

/** What is wrong with a variant's shader or pipeline, or undefined. */
export async function complaint(device: GPUDevice, variant: Variant): Promise<string | undefined> {
  device.pushErrorScope('validation')
  const module = device.createShaderModule({ code: variantSource(variant) })
  device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } })
  return (await device.popErrorScope())?.message
}
