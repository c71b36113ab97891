/** Embedding of images: any value of a network, one row an image, unreadable ones told apart. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createReferenceBackend } from '../../../../src/compute/backends/reference/index.ts'
import { cutShards } from '../../../../src/data/sharding.ts'
import { createMemoryStore } from '../../../../src/data/store/memory-store.ts'
import { prepareEmbed } from '../../../../src/jobs/workloads/embed/prepare.ts'
import { embedColumns, embedItemsPerShard, parseEmbedSpec } from '../../../../src/jobs/workloads/embed/spec.ts'
import { embed } from '../../../../src/jobs/workloads/embed/workload.ts'
import { decodeRows } from '../../../../src/jobs/workloads/rows/result.ts'
import { makeModel } from '../../../compute/onnx/make-model.ts'

const store = createMemoryStore()
const bytesOf = async (ids: readonly string[]) =>
  Promise.all(ids.map(async id => (await store.get(id)) ?? new Uint8Array()))

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shardmesh-embed-'))
  await writeFile(
    join(folder, 'net.onnx'),
    makeModel({
      opset: 13,
      inputs: { x: ['N', 3, 4, 4] },
      outputs: ['y'],
      ops: [
        { type: 'GlobalAveragePool', inputs: ['x'], outputs: ['means'] },
        { type: 'Flatten', inputs: ['means'], outputs: ['flat'] },
        { type: 'Neg', inputs: ['flat'], outputs: ['y'] },
      ],
    }),
  )
})
afterAll(() => rm(folder, { recursive: true }))

test('the wanted value of each image, and the reason where there is none', async () => {
  const colors = [
    { r: 255, g: 0, b: 51 },
    { r: 0, g: 102, b: 204 },
  ]
  const files = await Promise.all(
    colors.map(async (background, i) => {
      const file = join(folder, `${i}.png`)
      await sharp({ create: { width: 9, height: 7, channels: 3, background } })
        .png()
        .toFile(file)
      return { path: `${i}.png`, file }
    }),
  )
  await writeFile(join(folder, 'bad.png'), 'no image')
  files.splice(1, 0, { path: 'bad.png', file: join(folder, 'bad.png') })
  const { spec, notes } = await prepareEmbed({ cwd: folder, model: 'net.onnx', output: 'means' }, store)
  expect(notes).toEqual([expect.stringContaining('no preprocessor_config.json')])
  expect(parseEmbedSpec(JSON.parse(JSON.stringify(spec)))).toEqual(spec)
  const model = Buffer.concat(await bytesOf(spec.file.blocks))
  const runner = await embed.open(spec, new Map([['model', model]]), createReferenceBackend())
  for await (const cut of cutShards(files, store)) {
    const output = await runner.run(await bytesOf(cut.blocks))
    expect([output.items, output.errors]).toEqual([3, 1])
    const rows = decodeRows(output.bytes, embedColumns(spec))
    expect(rows.keys).toEqual(['0.png', '1.png'])
    expect(rows.errors).toEqual([{ path: 'bad.png', reason: expect.any(String) }])
    const want = colors.flatMap(({ r, g, b }) => [r / 255, g / 255, b / 255])
    want.forEach((value, i) => {
      expect(rows.numbers[i]).toBeCloseTo(value, 5)
    })
  }
  runner.close()
})

test('without a name it is the first output; a name that is not there is told with those that are', async () => {
  expect((await prepareEmbed({ cwd: folder, model: 'net.onnx' }, store)).spec).toMatchObject({ output: 'y', width: 3 })
  await expect(prepareEmbed({ cwd: folder, model: 'net.onnx', output: 'mean' }, store)).rejects.toThrow(
    /net\.onnx: the model has no value "mean"; its last ones are means, flat, y/,
  )
})

test('shards hold fewer images where vectors are long', () => {
  expect([3, 2048, 16_384].map(width => embedItemsPerShard({ width }))).toEqual([64, 64, 16])
})
