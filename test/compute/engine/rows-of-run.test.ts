/** How many rows go into a run: what the backend's buffers and memory hold, and no row is lost or computed otherwise. */
import { expect, test } from 'vitest'
import { PeerError } from '../../../src/base/errors.ts'
import { createReferenceBackend } from '../../../src/compute/backends/reference/index.ts'
import type { Backend } from '../../../src/compute/backends/types.ts'
import { loadModel } from '../../../src/compute/engine/model.ts'
import { openNetwork } from '../../../src/compute/engine/network.ts'
import { makeModel } from '../onnx/make-model.ts'

/** x of 100 values -> 200 values: x twice. */
const model = loadModel(
  makeModel({
    opset: 13,
    inputs: { x: ['n', 100] },
    outputs: ['y'],
    ops: [
      { type: 'Relu', inputs: ['x'], outputs: ['r'] },
      { type: 'Concat', inputs: ['r', 'x'], outputs: ['y'], attributes: { axis: 1 } },
    ],
  }),
)

const count = 13
const rows = Float32Array.from({ length: count * 100 }, (_, i) => Math.sin(i))

/** Runs `count` rows; gives the sizes of programs that were compiled, in order, and checks the results. */
async function sizesOn(traits: Partial<Backend>, memory = Number.POSITIVE_INFINITY): Promise<number[]> {
  const reference = createReferenceBackend()
  const sizes: number[] = []
  const backend: Backend = {
    ...reference,
    ...traits,
    compile(program, weights) {
      const message = 'the device is full'
      if (program.batch > memory) throw new PeerError({ code: 'WEBGPU_OUT_OF_MEMORY', kind: 'resource', message })
      sizes.push(program.batch)
      return reference.compile(program, weights)
    },
  }
  const network = await openNetwork(backend, model, { batchMax: 8 })
  const { y } = await network.run(rows, count)
  for (let row = 0; row < count; row++) {
    const x = rows.subarray(row * 100, (row + 1) * 100)
    expect([...y.subarray(row * 200, (row + 1) * 200)]).toEqual([...x.map(value => Math.max(0, value)), ...x])
  }
  network.dispose()
  return sizes
}

test('as many as were asked for where nothing bounds them', async () => {
  expect(await sizesOn({})).toEqual([8, 4, 1])
})

test('as many as the largest buffer holds', async () => {
  // 200 float32 of a row are 1,024 bytes with their alignment.
  expect(await sizesOn({ bufferMax: 8 * 1024 })).toEqual([8, 4, 1])
  expect(await sizesOn({ bufferMax: 8 * 1024 - 1 })).toEqual([4, 1])
  expect(await sizesOn({ bufferMax: 1024 })).toEqual([1])
  // A row that does not fit is the backend's to refuse, at compile.
  expect(await sizesOn({ bufferMax: 100 })).toEqual([1])
})

test('half as many, and half again, where the memory is not there', async () => {
  expect(await sizesOn({}, 3)).toEqual([2, 1])
  await expect(sizesOn({}, 0)).rejects.toMatchObject({ code: 'WEBGPU_OUT_OF_MEMORY' })
})
