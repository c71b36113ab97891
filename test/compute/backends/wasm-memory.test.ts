/** The shared memory of the compute threads: who owns what, what is stored once, and what a module may not hold. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { packageRoot } from '../../../src/base/package-root.ts'
import { prng } from '../../../src/base/prng.ts'
import { attachWasmBackend } from '../../../src/compute/backends/wasm/backend.ts'
import { type Block, createMemory, openMemory } from '../../../src/compute/backends/wasm/memory.ts'
import { createWasmRuntime } from '../../../src/compute/backends/wasm/runtime.ts'
import { kernelProgram } from '../../../src/compute/engine/kernel-program.ts'
import { kernelCases } from '../kernels/cases.ts'

const MiB = 1024 * 1024

test('blocks of random sizes, taken and given back, never overlap', () => {
  const memory = openMemory(createMemory(64 * MiB))
  const random = prng(5)
  const held: { block: Block; mark: number; length: number }[] = []
  for (let i = 0; i < 600; i++) {
    if (held.length > 20 || (held.length > 0 && random.int(3) === 0)) {
      const [{ block, mark, length }] = held.splice(random.int(held.length), 1)
      // Whatever was written since, this block still holds what was put in it.
      expect(memory.bytes(block.offset, length).every(byte => byte === mark)).toBe(true)
      block.release()
    } else {
      const length = random.int(4) ? random.int(5000) : random.int(300_000)
      const block = memory.allocate(length)
      const mark = 1 + random.int(255)
      memory.bytes(block.offset, length).fill(mark)
      held.push({ block, mark, length })
    }
  }
})

test('a block of one name is filled once, and free when the last holder gives it back', () => {
  const memory = openMemory(createMemory(8 * MiB))
  let fills = 0
  const take = () => memory.share('weights', 100, () => fills++)
  const first = take()
  const second = take()
  expect(second.offset).toBe(first.offset)
  first.release()
  first.release() // a second release of one holder must not take the other's
  expect(take().offset).toBe(second.offset)
  expect(fills).toBe(1)
  expect(memory.share('others', 100, () => {}).offset).not.toBe(second.offset)
})

test('a block whose filling failed is not found', () => {
  const memory = openMemory(createMemory(8 * MiB))
  const fail = () => {
    throw new Error('no')
  }
  expect(() => memory.share('weights', 100, fail)).toThrow('no')
  let filled = false
  memory.share('weights', 100, () => {
    filled = true
  })
  expect(filled).toBe(true)
})

test('more than there is gives an operating error, and what is given back can be had again', () => {
  const memory = openMemory(createMemory(4 * MiB))
  const block = memory.allocate(2 * MiB)
  expect(() => memory.allocate(2 * MiB)).toThrow(/compute memory is full/)
  block.release()
  memory.allocate(2 * MiB)
})

test('threads share weights and see memory that others have added', async () => {
  const runtime = await createWasmRuntime()
  const source = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(workerData.url).then(({ openMemory }) => {
      const memory = openMemory(workerData.shared.memory)
      const block = memory.share('weights', 100, offset => memory.bytes(offset, 100).fill(workerData.mark))
      const large = memory.allocate(3e6)
      memory.bytes(large.offset, 3e6).fill(workerData.mark)
      parentPort.postMessage({ weights: block.offset, large: large.offset, mark: workerData.mark })
    })`
  const url = new URL('../../../src/compute/backends/wasm/memory.ts', import.meta.url).href
  const results = await Promise.all(
    [1, 2, 3].map(
      mark =>
        new Promise<{ weights: number; large: number; mark: number }>((resolve, reject) => {
          const worker = new Worker(source, { eval: true, workerData: { url, mark, shared: runtime.shared } })
          worker.once('message', resolve)
          worker.once('error', reject)
        }),
    ),
  )
  expect(new Set(results.map(result => result.weights)).size).toBe(1)
  for (const { large, mark } of results) {
    expect(runtime.memory.bytes(large, 3e6).every(byte => byte === mark)).toBe(true)
  }
})

test('two backends on one memory store equal weights once, and give the memory back', async () => {
  const runtime = await createWasmRuntime({ maxBytes: 64 * MiB })
  const backends = [await attachWasmBackend(runtime.shared), await attachWasmBackend(runtime.shared)]
  const one = kernelCases('conv2d-channels-last')[12]
  const place = () => {
    const block = runtime.memory.allocate(1)
    block.release()
    return block.offset
  }
  const before = place()
  const first = await backends[0].compile(one.program, one.weights)
  const afterOne = place()
  const second = await backends[1].compile(one.program, one.weights)
  const weights = one.weights.reduce((sum, weight) => sum + weight.data.byteLength, 0)
  expect(weights).toBeGreaterThan(10_000)
  // The second executable adds its arena and scratch memory only.
  expect(place() - afterOne).toBeLessThan(afterOne - before - weights / 2)
  expect(await second.run(one.inputs)).toEqual(await first.run(one.inputs))
  for (const backend of backends) await backend.dispose()
  expect(place()).toBe(before)
})

test('a network that does not fit is refused by name, and leaves the memory as it was', async () => {
  const runtime = await createWasmRuntime({ maxBytes: 2 * MiB })
  const backend = await attachWasmBackend(runtime.shared)
  const [call] = [{ params: { count: 1e6, op: 0, alpha: 0, beta: 0 }, operands: [{ data: new Float32Array(1e6) }] }]
  const { program, weights } = kernelProgram('unary', [call], 1e6)
  await expect(backend.compile(program, weights)).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' })
  runtime.memory.allocate(MiB / 2).release()
})

test.each(['kernels-simd.wasm', 'kernels-relaxed.wasm'])(
  '%s holds no data segment: instances share one memory',
  file => {
    const bytes = readFileSync(join(packageRoot, 'dist/wasm', file))
    const sections: number[] = []
    for (let at = 8; at < bytes.length; ) {
      sections.push(bytes[at++])
      let length = 0
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[at++]
        length |= (byte & 0x7f) << shift
        if (byte < 0x80) break
      }
      at += length
    }
    expect(sections).toContain(10) // code: the walk went right
    expect(sections).not.toContain(11)
  },
)
