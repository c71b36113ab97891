/** Runs a model through a session and through onnxruntime-web, and holds every output against the judge's. */
import * as ort from 'onnxruntime-web'
import { expect } from 'vitest'
import type { Backend } from '../../../src/compute/backends/types.ts'
import { loadModel } from '../../../src/compute/engine/model.ts'
import { type OutputTensor, openSession, type TextTensor } from '../../../src/compute/engine/session.ts'
import type { TypedTensor } from '../../../src/compute/tensor/element-type.ts'

ort.env.wasm.numThreads = 1

/** |got - want| is at most this, relative to the larger of |want| and 1. */
export interface Closeness {
  tolerance?: number
}

export async function expectAsOnnxruntime(
  backend: Backend,
  bytes: Uint8Array,
  inputs: Readonly<Record<string, TypedTensor | TextTensor>>,
  { tolerance = 2e-5 }: Closeness = {},
): Promise<Record<string, OutputTensor>> {
  const session = openSession(backend, loadModel(bytes))
  const got = await session.run(inputs)
  session.dispose()
  const judge = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 })
  const feeds = Object.entries(inputs).map(([name, tensor]) => [name, feedOf(tensor)] as const)
  const want = await judge.run(Object.fromEntries(feeds))
  await judge.release()
  for (const [name, { dims, data }] of Object.entries(want)) {
    expect([name, got[name].dims]).toEqual([name, dims])
    if (Array.isArray(data)) {
      expect(got[name].strings).toEqual(data)
      continue
    }
    const [mine, theirs] = [Array.from(got[name].data, Number), Array.from(data as ArrayLike<number | bigint>, Number)]
    const wrong = theirs.findIndex((value, i) => !close(mine[i], value, tolerance))
    expect(wrong < 0 ? '' : `${name} at ${wrong}: ${mine[wrong]} and not ${theirs[wrong]}`).toBe('')
  }
  return got
}

function close(got: number, want: number, tolerance: number): boolean {
  if (Object.is(got, want) || got === want) return true
  return Math.abs(got - want) <= tolerance * Math.max(1, Math.abs(want))
}

function feedOf(tensor: TypedTensor | TextTensor): ort.Tensor {
  if (tensor.type === 'string') return new ort.Tensor('string', [...tensor.data], tensor.dims)
  const { data, dims } = tensor
  if (data instanceof Float32Array) return new ort.Tensor('float32', data, dims)
  if (data instanceof Float64Array) return new ort.Tensor('float64', data, dims)
  if (data instanceof BigInt64Array) return new ort.Tensor('int64', data, dims)
  if (data instanceof Int32Array) return new ort.Tensor('int32', data, dims)
  throw new Error(`no feed is made of ${tensor.type}`)
}
