import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { errorsFileOf } from '../../../src/data/writers/draft.ts'
import { openPredictionsWriter, type PredictionRow } from '../../../src/data/writers/predictions.ts'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'shardmesh-out-'))
})
afterEach(() => rm(root, { recursive: true }))

const rows: PredictionRow[] = [
  {
    path: 'test/a, "b".jpg',
    top: [
      { label: 'cat', score: 1 / 3 },
      { label: 'dog', score: 0.25 },
    ],
    models: [
      { name: 'vgg', top: [{ label: 'cat', score: 0.123456789 }] },
      { name: 'resnet', top: [{ label: 'great white shark, white shark', score: 1.23456789e-9 }] },
    ],
  },
  { path: 'b', top: [{ label: 'dog', score: 1 }], models: [{ name: 'resnet', top: [] }] },
]

test('CSV has the best label of each, in the order of the models', async () => {
  const out = join(root, 'predictions.csv')
  const writer = await openPredictionsWriter({ out, models: ['resnet', 'vgg'] })
  for (const row of rows) await writer.write(row)
  expect(await readdir(root)).not.toContain('predictions.csv')
  expect(await writer.close()).toEqual({ rows: 2, errors: 0 })
  expect(await readFile(out, 'utf8')).toBe(
    'path,label,score,resnet_label,resnet_score,vgg_label,vgg_score\n' +
      '"test/a, ""b"".jpg",cat,0.333333,"great white shark, white shark",1.23457e-9,cat,0.123457\n' +
      'b,dog,1,,,,\n',
  )
  expect(await readdir(root)).toEqual(['predictions.csv'])
})

test('JSON lines have all of it', async () => {
  const out = join(root, 'p.jsonl')
  const writer = await openPredictionsWriter({ out, models: ['resnet', 'vgg'] })
  for (const row of rows) await writer.write(row)
  await writer.writeError('x.jpg', 'truncated JPEG')
  expect(await writer.close()).toEqual({ rows: 2, errors: 1, errorsFile: join(root, 'p.errors.csv') })
  const lines = (await readFile(out, 'utf8')).trimEnd().split('\n')
  expect(lines.map(line => JSON.parse(line))).toEqual([
    {
      path: 'test/a, "b".jpg',
      top: [
        { label: 'cat', score: 0.333333 },
        { label: 'dog', score: 0.25 },
      ],
      models: [
        { name: 'vgg', top: [{ label: 'cat', score: 0.123457 }] },
        { name: 'resnet', top: [{ label: 'great white shark, white shark', score: 1.23457e-9 }] },
      ],
    },
    rows[1],
  ])
  expect(await readFile(join(root, 'p.errors.csv'), 'utf8')).toBe('path,reason\nx.jpg,truncated JPEG\n')
})

test('many rows come out in order', async () => {
  const out = join(root, 'many.csv')
  const writer = await openPredictionsWriter({ out, models: [] })
  for (let i = 0; i < 9000; i++)
    await writer.write({ path: `image number ${i}`, top: [{ label: 'x', score: i }], models: [] })
  await writer.close()
  const lines = (await readFile(out, 'utf8')).split('\n')
  expect(lines).toHaveLength(9002)
  for (let i = 0; i < 9000; i++) expect(lines[i + 1]).toBe(`image number ${i},x,${i}`)
})

test('an older run’s files stay until this one is complete, then both are replaced', async () => {
  const out = join(root, 'p.csv')
  await writeFile(out, 'old')
  await writeFile(errorsFileOf(out), 'old')
  const given = await openPredictionsWriter({ out, models: [] })
  await given.writeError('a', 'b')
  await given.abort()
  expect(await readFile(out, 'utf8')).toBe('old')
  expect((await readdir(root)).sort()).toEqual(['p.csv', 'p.errors.csv'])
  await (await openPredictionsWriter({ out, models: [] })).close()
  expect(await readFile(out, 'utf8')).toBe('path,label,score\n')
  expect(await readdir(root)).toEqual(['p.csv'])
})

test('what cannot be written is said before any work', async () => {
  await mkdir(join(root, 'folder.csv'))
  for (const [out, code] of [
    ['p.txt', 'OUTPUT_FORMAT'],
    ['p', 'OUTPUT_FORMAT'],
    ['none/p.csv', 'OUTPUT_UNWRITABLE'],
    ['folder.csv', 'OUTPUT_UNWRITABLE'],
  ]) {
    await expect(openPredictionsWriter({ out: join(root, out), models: [] })).rejects.toMatchObject({
      kind: 'input',
      code,
    })
  }
})
