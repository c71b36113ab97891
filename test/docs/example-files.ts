/** The files that the examples of README, docs and help name, small and made here, in a folder where the commands run. */
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { packageRoot } from '../../src/base/package-root.ts'
import { prng } from '../../src/base/prng.ts'
import { drawSamples } from '../../src/cli/demo/draw.ts'
import { writeNpy } from '../../src/data/writers/npy.ts'
import { openRowsWriter } from '../../src/data/writers/rows.ts'
import { makeModel } from '../compute/onnx/make-model.ts'
import { command } from '../e2e/peer-command.ts'

const demo = join(packageRoot, 'demo/models')

/** Averages of the channels, and three scores of them, under the names that PyTorch gives a ResNet's. */
function pooling(): Uint8Array {
  const pooled = '/avgpool/GlobalAveragePool_output_0'
  return makeModel({
    opset: 17,
    inputs: { pixel_values: ['N', 3, 32, 32] },
    outputs: ['logits', 'pooled'],
    constants: { w: { dims: [3, 10], data: Float32Array.from({ length: 30 }, (_, i) => Math.sin(i)) } },
    ops: [
      { type: 'GlobalAveragePool', inputs: ['pixel_values'], outputs: [pooled], name: '/avgpool/GlobalAveragePool' },
      { type: 'Flatten', inputs: [pooled], outputs: ['pooled'] },
      { type: 'MatMul', inputs: ['pooled', 'w'], outputs: ['logits'] },
    ],
  })
}

/** A table of numbers as Parquet. */
async function writeRows(file: string): Promise<void> {
  const rows = 400
  const columns = ['a', 'b', 'c', 'd'].map(name => ({ name, kind: 'number' as const }))
  const writer = await openRowsWriter({ out: file, columns, key: 'row', rows })
  const random = prng(5)
  const numbers = Float32Array.from({ length: 4 * rows }, () => random.normal())
  await writer.write({ keys: [], firstRow: 0, rows, numbers, texts: [] })
  await writer.close()
}

/** @param env where the commands' peer has its data */
export async function makeExampleFiles(folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  const at = (...path: string[]) => join(folder, ...path)
  for (const [name, seed] of [
    ['photos', 1],
    ['labelled', 2],
    ['more', 3],
  ] as const)
    await drawSamples(at(name), { count: 20, seed })
  const [label] = readdirSync(at('photos'))
  copyFileSync(at('photos', label, readdirSync(at('photos', label))[0]), at('a.jpg'))
  cpSync(at('photos', label), at('more', 'few'), { recursive: true })
  for (const [name, model] of [
    ['mobilenet', 'shapes-plain'],
    ['vit', 'shapes-residual'],
  ])
    cpSync(join(demo, model), at(name), { recursive: true })
  for (const name of ['resnet18', 'resnet50', 'model']) writeFileSync(at(`${name}.onnx`), pooling())
  mkdirSync(at('resnet50'))
  copyFileSync(at('resnet50.onnx'), at('resnet50', 'model.onnx'))
  const { id2label } = JSON.parse(readFileSync(at('vit', 'config.json'), 'utf8')) as {
    id2label: Record<string, string>
  }
  writeFileSync(at('labels.txt'), `${Object.values(id2label).join('\n')}\n`)
  for (const name of ['config.json', 'preprocessor_config.json'])
    copyFileSync(at('mobilenet', name), at('resnet50', name))
  const x = Float32Array.from({ length: 3 * 32 * 32 }, (_, i) => i % 7)
  writeFileSync(at('x.npy'), writeNpy({ type: 'float32', dims: [1, 3, 32, 32], data: x }))

  const digits = gunzipSync(readFileSync(join(packageRoot, 'test/fixtures/learning/data/digits.csv.gz'))).toString()
  writeFileSync(at('digits.csv.gz'), gzipSync(digits.split('\n').slice(0, 300).join('\n')))
  const houses = Array.from({ length: 40 }, (_, i) => `${50 + i},${1 + (i % 5)},${100 + 3 * i + (i % 5)}`)
  writeFileSync(at('houses.csv'), `area,rooms,price\n${houses.join('\n')}\n`)
  const flowers = Array.from(
    { length: 60 },
    (_, i) => `${(i % 3) + (i % 7) / 10},${(i % 3) * 2 + (i % 5) / 10},kind${i % 3}`,
  )
  const table = `length,width,species\n${flowers.join('\n')}\n`
  mkdirSync(at('data'))
  writeFileSync(at('data', 'flowers.csv.gz'), gzipSync(table))
  writeFileSync(at('flowers.csv'), table)
  const run = async (...args: string[]) => {
    const ran = await command(args, { cwd: folder, env })
    if (ran.code !== 0) throw new Error(`peer ${args.join(' ')}: ${ran.stderr}`)
  }
  const learn = (model: string) =>
    run('submit', 'train', 'softmax', 'flowers.csv', '--label', 'species', '--out', model)
  for (const model of ['softmax.onnx', 'trees.onnx']) await learn(model)
  await writeRows(at('rows.parquet'))
  await run('submit', 'train', 'softmax', 'labelled', '--images', 'hog', '--size', '32', '--out', 'shapes.onnx')
  await run('submit', 'train', 'kmeans', 'rows.parquet', '--k', '3', '--out', 'forest.onnx')
}
