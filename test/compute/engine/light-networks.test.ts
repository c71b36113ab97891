/** Six well-known networks at full size, where they lie beside the package: they agree with onnxruntime-web, and a row with itself in a batch. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as ort from 'onnxruntime-web'
import { afterAll, describe, expect, test } from 'vitest'
import { packageRoot } from '../../../src/base/package-root.ts'
import { createWasmBackend } from '../../../src/compute/backends/wasm/backend.ts'
import { createWebGpuBackend } from '../../../src/compute/backends/webgpu/backend.ts'
import { loadModel } from '../../../src/compute/engine/model.ts'
import { openSession } from '../../../src/compute/engine/session.ts'
import { relativeL2 } from '../shared-models.ts'
import { haveWebGpu } from '../webgpu.ts'

ort.env.wasm.numThreads = 1

const folder = join(packageRoot, '../shared/models')
const there = existsSync(join(folder, 'light'))
const names = ['squeezenet1_1', 'mobilenet_v2', 'mobilenet_v3_small', 'resnet18', 'resnet50', 'vit_tiny']
/** A software adapter takes seconds for the others. */
const onWebGpu = ['squeezenet1_1', 'mobilenet_v3_small', 'vit_tiny']
const webgpu = there && (await haveWebGpu(`${onWebGpu.length} networks on WebGPU`))
if (!there)
  console.warn(`SKIPPED ${names.length + onWebGpu.length + 2} tests: the networks are not there (${folder}/light)`)

const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-light-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** The network with its weights filled in, which are the same on every machine. */
function expanded(name: string): Uint8Array {
  const file = join(scratch, `${name}.onnx`)
  const script = join(folder, 'expand-light.mjs')
  if (!existsSync(file)) execFileSync(process.execPath, [script, join(folder, 'light', `${name}.onnx`), file])
  return readFileSync(file)
}

const pixels = 3 * 224 * 224
const images = (count: number) => ({
  type: 'float32' as const,
  dims: [count, 3, 224, 224],
  data: Float32Array.from({ length: count * pixels }, (_, i) => Math.sin(i * 0.37) * 1.5),
})

/** Places of the five largest. */
function topFive(values: Float32Array): number[] {
  return [...values.keys()].sort((a, b) => values[b] - values[a]).slice(0, 5)
}

describe.skipIf(!there)('light networks', () => {
  const runs = [...names.map(name => [name, 'wasm']), ...(webgpu ? onWebGpu.map(name => [name, 'webgpu']) : [])]

  test.each(runs)('%s agrees with onnxruntime-web on %s', { timeout: 60_000 }, async (name, on) => {
    const bytes = expanded(name)
    const backend = on === 'wasm' ? await createWasmBackend() : await createWebGpuBackend()
    const model = loadModel(bytes)
    const [input, output] = [model.inputs[0].name, model.outputs[0].name]
    const image = images(1)
    const got = (await openSession(backend, model).run({ [input]: image }))[output].data
    const judge = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 })
    const want = (await judge.run({ [input]: new ort.Tensor('float32', image.data, image.dims) }))[output].data
    await judge.release()
    await backend.dispose()
    if (!(got instanceof Float32Array && want instanceof Float32Array)) throw new Error('logits are float32')
    expect(relativeL2(got, want)).toBeLessThan(1e-3)
    expect(topFive(got)).toEqual(topFive(want))
  })

  test.each(['mobilenet_v3_small', 'vit_tiny'])('a row of %s has the same bits in a batch', async name => {
    const backend = await createWasmBackend()
    const model = loadModel(expanded(name))
    const session = openSession(backend, model)
    const [input, output] = [model.inputs[0].name, model.outputs[0].name]
    const many = images(3)
    const last = { ...many, dims: [1, 3, 224, 224], data: many.data.slice(2 * pixels) }
    const batch = (await session.run({ [input]: many }))[output].data
    const alone = (await session.run({ [input]: last }))[output].data
    expect(batch.slice((batch.length / 3) * 2)).toEqual(alone)
    await backend.dispose()
  })
})
