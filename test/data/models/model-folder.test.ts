import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { packageRoot } from '../../../src/base/package-root.ts'
import { readLabels, readModelFolder } from '../../../src/data/models/model-folder.ts'

let root: string
let count = 0
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'shardmesh-models-'))
})
afterAll(() => rm(root, { recursive: true }))

async function folder(files: Record<string, unknown>): Promise<string> {
  const made = join(root, `net${count++}`)
  await mkdir(made)
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(made, name)), { recursive: true })
    await writeFile(join(made, name), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return made
}

test('a folder with all of it', async () => {
  const made = await folder({
    'model.onnx': 'x',
    'config.json': { id2label: { 1: 'dog', 0: 'cat' }, other: [1] },
    'preprocessor_config.json': { size: 32, do_normalize: false },
  })
  expect(await readModelFolder(made)).toEqual({
    name: made.split('/').at(-1),
    onnxPath: join(made, 'model.onnx'),
    onnxBytes: 1,
    labels: ['cat', 'dog'],
    preprocess: { resize: { height: 32, width: 32, filter: 2 }, rescaleFactor: 1 / 255 },
    files: ['model.onnx', 'config.json', 'preprocessor_config.json'].map(name => join(made, name)),
  })
})

test('the network is found where exports put it', async () => {
  for (const place of ['onnx/model.onnx', 'squeezenet.onnx', 'onnx/model_quantized.onnx']) {
    const made = await folder({ [place]: 'x', 'notes.txt': '' })
    const source = await readModelFolder(made)
    expect(source).toMatchObject({ onnxPath: join(made, place), files: [join(made, place)] })
    expect(source.labels).toBeUndefined()
    expect(source.preprocess).toBeUndefined()
  }
  const both = await folder({ 'onnx/model.onnx': 'x', 'onnx/model_fp16.onnx': 'x' })
  expect((await readModelFolder(both)).onnxPath).toBe(join(both, 'onnx/model.onnx'))
})

test('a file is taken alone, and one called model after its folder', async () => {
  const made = await folder({ 'resnet50.onnx': 'x', 'onnx/model.onnx': 'x', 'config.json': 'not read' })
  expect(await readModelFolder(join(made, 'resnet50.onnx'))).toMatchObject({ name: 'resnet50', onnxBytes: 1 })
  expect((await readModelFolder(join(made, 'onnx/model.onnx'))).name).toBe(made.split('/').at(-1))
})

test('what is wrong is named with its file and field', async () => {
  const onnx = { 'model.onnx': 'x' }
  const cases: [Record<string, unknown>, string, string][] = [
    [{}, 'MODEL_MISSING', 'no model.onnx'],
    [{ 'a.onnx': 'x', 'b.onnx': 'x' }, 'MODEL_AMBIGUOUS', 'a.onnx, b.onnx'],
    [{ 'model.onnx': '' }, 'MODEL_EMPTY', 'is empty'],
    [{ ...onnx, 'config.json': '{' }, 'MODEL_CONFIG', 'config.json is not JSON'],
    [{ ...onnx, 'config.json': { id2label: { 0: 'a', 2: 'b' } } }, 'MODEL_CONFIG', 'none for 1'],
    [{ ...onnx, 'config.json': { id2label: { 0: 1 } } }, 'MODEL_CONFIG', 'id2label'],
    [{ ...onnx, 'preprocessor_config.json': { size: 'big' } }, 'MODEL_PREPROCESS', 'preprocessor_config.json: size'],
  ]
  for (const [files, code, words] of cases) {
    await expect(readModelFolder(await folder(files))).rejects.toMatchObject({
      code,
      kind: 'model',
      message: expect.stringContaining(words),
    })
  }
  await expect(readModelFolder(join(root, 'nowhere'))).rejects.toMatchObject({ code: 'MODEL_MISSING' })
})

test('labels are lines', async () => {
  const made = await folder({
    a: '\uFEFFcat\r\ndog \r\n\r\n',
    b: 'tench, Tinca tinca\ncrane\ncrane',
    c: '',
    d: 'a\n\nb',
  })
  expect(await readLabels(join(made, 'a'))).toEqual(['cat', 'dog'])
  expect(await readLabels(join(made, 'b'))).toEqual(['tench, Tinca tinca', 'crane', 'crane'])
  await expect(readLabels(join(made, 'c'))).rejects.toMatchObject({
    kind: 'input',
    message: expect.stringContaining('no labels'),
  })
  await expect(readLabels(join(made, 'd'))).rejects.toMatchObject({ message: expect.stringContaining('empty line 2') })
  await expect(readLabels(join(made, 'e'))).rejects.toMatchObject({
    message: expect.stringContaining('does not exist'),
  })
  await expect(readLabels(made)).rejects.toMatchObject({ kind: 'input' })
})

const models = join(packageRoot, '../shared/models')
if (existsSync(models)) {
  test('the two CIFAR-10 networks', async () => {
    const resnet = await readModelFolder(join(models, 'cifar10-resnet8'))
    expect(resnet.labels?.slice(0, 2)).toEqual(['airplane', 'automobile'])
    expect(resnet.preprocess).toEqual({ resize: { height: 32, width: 32, filter: 2 }, rescaleFactor: 1 })
    expect((await readModelFolder(join(models, 'cifar10-vgg'))).preprocess?.rescaleFactor).toBe(1 / 255)
  })
} else {
  console.warn(`skipped: 1 test of real model folders (no ${models})`)
}

test('a trained model brings its labels, and what it takes of images, in the card beside it', async () => {
  const data = { classes: ['fig', 'kiwi'] }
  const made = await folder({
    'plain.onnx': 'x',
    'trained.onnx': 'x',
    'trained.card.json': { data, features: { kind: 'hog', height: 32, width: 48 }, other: 1 },
    'table.onnx': 'x',
    'table.card.json': { data: {} },
    'broken.onnx': 'x',
    'broken.card.json': { data: { classes: 'fig' } },
  })
  expect(await readModelFolder(join(made, 'trained.onnx'))).toMatchObject({
    labels: ['fig', 'kiwi'],
    preprocess: { resize: { height: 32, width: 48, filter: 2 }, rescaleFactor: 1 / 255 },
    files: [join(made, 'trained.onnx'), join(made, 'trained.card.json')],
  })
  for (const name of ['plain', 'table']) {
    const source = await readModelFolder(join(made, `${name}.onnx`))
    expect([source.labels, source.preprocess]).toEqual([undefined, undefined])
  }
  await expect(readModelFolder(join(made, 'broken.onnx'))).rejects.toThrow(/broken\.card\.json is no model card/)
})
