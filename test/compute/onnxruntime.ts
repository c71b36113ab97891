/** onnxruntime-web, one thread, as the judge of whole models. */
import * as ort from 'onnxruntime-web'
import type { Program } from '../../src/compute/engine/program.ts'
import type { KernelArray } from '../../src/compute/tensor/dtype.ts'

ort.env.wasm.numThreads = 1

/** Runs a model on the float32 inputs of a program made from it. */
export async function runOnnxruntime(
  bytes: Uint8Array,
  program: Program,
  inputs: Readonly<Record<string, KernelArray>>,
): Promise<Record<string, { dims: readonly number[]; data: Float32Array }>> {
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 })
  const feeds = program.inputs.map(
    port => [port.name, new ort.Tensor('float32', Float32Array.from(inputs[port.name]), port.dims)] as const,
  )
  const results = await session.run(Object.fromEntries(feeds))
  await session.release()
  return Object.fromEntries(
    Object.entries(results).map(([name, { dims, data }]) => {
      if (!(data instanceof Float32Array)) throw new Error(`onnxruntime gives ${name} in another type`)
      return [name, { dims, data }]
    }),
  )
}
