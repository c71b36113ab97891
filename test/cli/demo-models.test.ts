/**
 * The committed networks against the demo's own pictures: they still know what `drawSamples` draws, none is perfect,
 * and the mean of the three beats each. Run by onnxruntime-web, so that what is judged is the networks, not this project's engine.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as ort from 'onnxruntime-web'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { packageRoot } from '../../src/base/package-root.ts'
import { drawSamples } from '../../src/cli/demo/draw.ts'
import { shapeNames } from '../../src/cli/demo/shapes.ts'
import { prepareImage, scaleAndBias } from '../../src/data/images/apply.ts'
import { decodeImage } from '../../src/data/images/decode.ts'
import type { ImagePreprocess } from '../../src/data/images/preprocess.ts'
import { readModelFolder } from '../../src/data/models/model-folder.ts'

const models = join(packageRoot, 'demo/models')
const names = readdirSync(models).sort()
const count = 500
const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-models-'))
afterAll(() => rmSync(scratch, { recursive: true }))

interface Judged {
  /** Correct of `count`. */
  correct: number
  /** [count, classes], each row a distribution. */
  probabilities: Float32Array
}

const judged = new Map<string, Judged>()
const files: { path: string; label: number }[] = []
const classes = shapeNames.length

/** The network's input for one file, [3, H, W]. */
async function pixelsOf(path: string, preprocess: ImagePreprocess): Promise<Float32Array> {
  const bytes = prepareImage(await decodeImage(readFileSync(path)), preprocess)
  const { scale, bias } = scaleAndBias(preprocess)
  const plane = bytes.length / 3
  return Float32Array.from({ length: bytes.length }, (_, i) => {
    const channel = Math.floor(i / plane)
    return bytes[(i % plane) * 3 + channel] * scale[channel] + bias[channel]
  })
}

function softmax(row: Float32Array): Float32Array {
  const top = Math.max(...row)
  const powers = row.map(value => Math.exp(value - top))
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map(power => power / sum)
}

function correctOf(probabilities: Float32Array): number {
  return files.filter(({ label }, i) => {
    const row = probabilities.subarray(i * classes, (i + 1) * classes)
    return row.indexOf(Math.max(...row)) === label
  }).length
}

async function judge(name: string): Promise<Judged> {
  const { preprocess, labels } = await readModelFolder(join(models, name))
  if (preprocess === undefined) throw new Error(`${name} says how it wants its pictures`)
  expect(labels).toEqual([...shapeNames])
  const session = await ort.InferenceSession.create(readFileSync(join(models, name, 'model.onnx')))
  const [input] = session.inputNames
  const [output] = session.outputNames
  const probabilities = new Float32Array(files.length * classes)
  const batch = 250
  for (let start = 0; start < files.length; start += batch) {
    const chosen = files.slice(start, start + batch)
    const rows = await Promise.all(chosen.map(file => pixelsOf(file.path, { ...preprocess, channels: 3 })))
    const side = Math.sqrt(rows[0].length / 3)
    const data = new Float32Array(rows.length * rows[0].length)
    rows.forEach((row, i) => {
      data.set(row, i * row.length)
    })
    const results = await session.run({ [input]: new ort.Tensor('float32', data, [rows.length, 3, side, side]) })
    const scores = results[output].data
    if (!(scores instanceof Float32Array)) throw new Error('scores are float32')
    expect(results[output].dims).toEqual([rows.length, classes])
    for (let i = 0; i < rows.length; i++) {
      const row = scores.slice(i * classes, (i + 1) * classes)
      probabilities.set(output === 'probabilities' ? row : softmax(row), (start + i) * classes)
    }
  }
  await session.release()
  return { correct: correctOf(probabilities), probabilities }
}

beforeAll(async () => {
  ort.env.wasm.numThreads = 1
  await drawSamples(scratch, { count, seed: 2024 })
  for (const [label, name] of shapeNames.entries()) {
    for (const file of readdirSync(join(scratch, name)).sort()) files.push({ path: join(scratch, name, file), label })
  }
  for (const name of names) judged.set(name, await judge(name))
}, 120_000)

test('there are three networks, under 1 MB together', () => {
  expect(names).toEqual(['shapes-plain', 'shapes-residual', 'shapes-separable'])
  const bytes = names.map(name => statSync(join(models, name, 'model.onnx')).size).reduce((a, b) => a + b)
  expect(bytes).toBeLessThan(1_000_000)
})

test.each(names)('%s is right about most pictures, not about all', name => {
  const accuracy = (judged.get(name)?.correct ?? 0) / count
  expect(accuracy).toBeGreaterThan(0.8)
  expect(accuracy).toBeLessThan(0.98)
})

test('the mean of the three is right more often than each', () => {
  const all = names.map(name => judged.get(name)?.probabilities ?? new Float32Array(0))
  const mean = all[0].map((_, i) => all.reduce((sum, each) => sum + each[i], 0) / all.length)
  const singles = names.map(name => judged.get(name)?.correct ?? 0)
  console.info(`of ${count}: ${names.map((name, i) => `${name} ${singles[i]}`).join(', ')}, mean ${correctOf(mean)}`)
  for (const single of singles) expect(correctOf(mean)).toBeGreaterThan(single)
})
