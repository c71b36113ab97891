/**
 * Every option of classify, embed, features and score, from the command line and from `peer.submit`: both give the same rows, and
 * these differ from those without the option.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { packageRoot } from '../../src/base/package-root.ts'
import { drawSamples } from '../../src/cli/demo/draw.ts'
import type { JobRequest, ResultItem } from '../../src/peer/control.ts'
import { modelOf, type OnePeer, onePeer } from './one-peer.ts'

const networks = join(packageRoot, 'demo/models')
const [first, second] = readdirSync(networks)
  .sort()
  .map(name => join(networks, name))
const lone = join(first, 'model.onnx')

let one: OnePeer
beforeAll(async () => {
  one = await onePeer()
  await drawSamples(join(one.scratch, 'photos'), { count: 24, seed: 5 })
  const labels = Array.from({ length: 10 }, (_, i) => `shape ${i}`)
  writeFileSync(join(one.scratch, 'labels.txt'), labels.join('\n'))
  const rows = Array.from({ length: 30 }, (_, i) =>
    [(i + 2) % 7, (i * 5 + 10) % 11, (i * i + 4) % 5, ['fig', 'kiwi', 'plum'][i % 3]].join(),
  )
  writeFileSync(join(one.scratch, 'rows.csv'), ['a,b,c,kind', ...rows].join('\n'))
  writeFileSync(join(one.scratch, 'bare.csv'), rows.map(row => row.split(',').slice(0, 3).join()).join('\n'))
  writeFileSync(
    join(one.scratch, 'semicolons.csv'),
    ['a;b;c', ...rows.map(row => row.split(',').slice(0, 3).join(';'))].join('\n'),
  )
  writeFileSync(join(one.scratch, 'gaps.csv'), ['a,b,c', '1,,3', '4,5,6'].join('\n'))
  writeFileSync(join(one.scratch, 'bad.csv'), ['a,b,c', '1,oops,3', '4,5,6'].join('\n'))
  for (const [name, c] of [
    ['one.onnx', 1],
    ['two.onnx', 0.001],
  ] as const) {
    const table = { features: ['a', 'b', 'c'], label: 'kind' }
    const options = { method: 'softmax', c, missing: 'mean' }
    const request: JobRequest = { workload: 'train', inputs: ['rows.csv'], cwd: one.scratch, options, table }
    writeFileSync(join(one.scratch, name), modelOf(await one.library(request)))
  }
})
afterAll(() => one.stop())

interface Way {
  request: Record<string, unknown>
  args: string[]
}
interface Case {
  name: string
  base: Way
  with: Way
}

/** A row as JSONL has it, from the library's items. */
function flat(items: readonly ResultItem[]): unknown[] {
  const out: unknown[] = []
  let columns: readonly { name: string; kind: string }[] = []
  for (const item of items) {
    if (item.type === 'header') out.push(item.labels, item.models, item.top)
    if (item.type === 'row') out.push([item.path, item.top, item.models])
    if (item.type === 'columns') {
      columns = item.columns
      out.push(columns)
    }
    if (item.type === 'rows') out.push([item.rows.keys, [...item.rows.numbers], item.rows.texts])
  }
  return out
}

async function library({ request }: Way): Promise<string> {
  return JSON.stringify(flat(await one.library({ cwd: one.scratch, ...request } as JobRequest)))
}

/** Of what options are added to, once. */
const plain = new Map<Way, Promise<string>>()
const libraryOnce = (way: Way) => {
  const known = plain.get(way) ?? library(way)
  plain.set(way, known)
  return known
}

/** What the command line's own job gives, read through the library. */
async function command({ args }: Way): Promise<string> {
  const before = new Set((await one.peer.jobs()).map(job => job.job))
  const ran = await one.cli(...args)
  if (ran.code !== 0) throw new Error(ran.stderr)
  const made = (await one.peer.jobs()).filter(({ job }) => !before.has(job)).at(-1)
  const items: ResultItem[] = []
  for await (const item of one.peer.results(made?.job ?? '')) items.push(item)
  return JSON.stringify(flat(items))
}

const joined = (a: Way, b: Way): Way => {
  const table = { ...(a.request.table as object), ...(b.request.table as object) }
  const features = { ...(a.request.features as object), ...(b.request.features as object) }
  return {
    request: {
      ...a.request,
      ...b.request,
      ...(Object.keys(table).length > 0 && { table }),
      ...(Object.keys(features).length > 0 && { features }),
    },
    args: [...a.args, ...b.args],
  }
}

const classify: Way = {
  request: { workload: 'classify', inputs: ['photos'], models: [first, second], merge: 'mean', top: 1 },
  args: ['submit', 'classify', 'photos', '--model', first, '--model', second],
}
const single: Way = {
  request: { workload: 'classify', inputs: ['photos'], models: [lone], merge: 'mean', top: 1 },
  args: ['submit', 'classify', 'photos', '--model', lone],
}
const embed: Way = {
  request: { workload: 'embed', inputs: ['photos'], model: first },
  args: ['submit', 'embed', 'photos', '--model', first],
}
const featuresOf = (kind: string): Way => ({
  request: { workload: 'features', inputs: ['photos'], features: { kind, width: 32, height: 32 } },
  args: ['submit', 'features', 'photos', '--kind', kind, '--size', '32'],
})
const score: Way = {
  request: { workload: 'score', inputs: ['rows.csv'], models: ['one.onnx'], table: { features: ['a', 'b', 'c'] } },
  args: ['submit', 'score', 'rows.csv', '--model', 'one.onnx', '--features', 'a,b,c'],
}
const scoreTwo: Way = {
  request: { ...score.request, models: ['one.onnx', 'two.onnx'] },
  args: [...score.args, '--model', 'two.onnx'],
}

const option = (request: Way['request'], ...args: string[]): Way => ({ request, args })
const feature = (name: string, value: unknown, ...args: string[]) => option({ features: { [name]: value } }, ...args)
const table = (name: string, value: unknown, ...args: string[]) => option({ table: { [name]: value } }, ...args)
const cases: Case[] = [
  ...(['vote', 'max'] as const).map(merge => ({
    name: `classify merge ${merge}`,
    base: classify,
    with: option({ merge }, '--merge', merge),
  })),
  { name: 'classify weights', base: classify, with: option({ weights: [5, 1] }, '--weights', '5,1') },
  { name: 'classify top', base: classify, with: option({ top: 3 }, '--top', '3') },
  { name: 'classify labels', base: single, with: option({ labels: 'labels.txt' }, '--labels', 'labels.txt') },
  ...(['none', 'sigmoid'] as const).map(scores => ({
    name: `classify scores ${scores}`,
    base: classify,
    with: option({ scores }, '--scores', scores),
  })),
  {
    name: 'embed output',
    base: embed,
    with: option({ output: '/9/Flatten_output_0' }, '--output', '/9/Flatten_output_0'),
  },
  { name: 'hog size', base: featuresOf('hog'), with: feature('width', 48, '--size', '48x32') },
  { name: 'hog grey', base: featuresOf('hog'), with: feature('channels', 1, '--grey') },
  { name: 'hog orientations', base: featuresOf('hog'), with: feature('orientations', 4, '--orientations', '4') },
  { name: 'hog cell', base: featuresOf('hog'), with: feature('cell', 4, '--cell', '4') },
  { name: 'hog block', base: featuresOf('hog'), with: feature('block', 1, '--block', '1') },
  { name: 'lbp cell', base: featuresOf('lbp'), with: feature('cell', 8, '--cell', '8') },
  { name: 'lbp grey', base: featuresOf('lbp'), with: feature('channels', 1, '--grey') },
  { name: 'colours bins', base: featuresOf('color-histogram'), with: feature('bins', 8, '--bins', '8') },
  { name: 'colours grey', base: featuresOf('color-histogram'), with: feature('channels', 1, '--grey') },
  ...(['none', 'vote', 'max'] as const).map(merge => ({
    name: `score merge ${merge}`,
    base: scoreTwo,
    with: option({ merge }, '--merge', merge),
  })),
  { name: 'score weights', base: scoreTwo, with: option({ weights: [9, 1] }, '--weights', '9,1') },
  { name: 'score features', base: score, with: table('features', ['c', 'a', 'b'], '--features', 'c,a,b') },
]

test.each(cases)('$name', async ({ base, with: way }) => {
  const whole = joined(base, way)
  const given = await library(whole)
  expect(await command(whole)).toBe(given)
  expect(given).not.toBe(await libraryOnce(base))
})

const scoring = (input: string, ...ways: Way[]): Way =>
  ways.reduce(joined, {
    request: { workload: 'score', inputs: [input], models: ['one.onnx'] },
    args: ['submit', 'score', input, '--model', 'one.onnx'],
  })

async function rowsOf(way: Way): Promise<number> {
  const both = [await library(way), await command(way)]
  expect(both[1]).toBe(both[0])
  const [, ...parts] = JSON.parse(both[0]) as [unknown, ...[unknown, unknown, { places: object }[]][]]
  return parts.reduce((sum, [, , texts]) => sum + Object.keys(texts[0].places).length, 0)
}

test('score reads the table as its options say', async () => {
  expect(await rowsOf(scoring('rows.csv', table('label', 'kind', '--label', 'kind')))).toBe(30)
  expect(await rowsOf(scoring('bare.csv'))).toBe(30)
  expect(await rowsOf(scoring('bare.csv', table('header', 'yes', '--header', 'yes')))).toBe(29)
  expect(await rowsOf(scoring('semicolons.csv', table('delimiter', ';', '--delimiter', ';')))).toBe(30)
  expect(await rowsOf(scoring('bad.csv', table('badRows', 'skip', '--skip-bad-rows')))).toBe(1)
  await expect(library(scoring('bad.csv'))).rejects.toThrow(/oops/)
  await expect(library(scoring('gaps.csv'))).rejects.toThrow(/missing|empty/)
  expect(await rowsOf(scoring('gaps.csv', table('missing', 'mean', '--missing', 'mean')))).toBe(2)
})

test('small shards: as many as the option says', async () => {
  const shardsOf = async (request: JobRequest) => {
    const { job } = await one.peer.submit(request)
    let shards = 0
    for await (const state of one.peer.watch(job)) shards = state.shardsTotal
    return shards
  }
  const base = { ...scoring('bare.csv').request, cwd: one.scratch }
  expect(await shardsOf({ ...base, table: { rowsPerShard: 10 } } as JobRequest)).toBe(3)
  for (const way of [classify, embed, featuresOf('lbp')]) {
    expect(await shardsOf({ cwd: one.scratch, ...way.request, itemsPerShard: 8 } as JobRequest)).toBe(3)
    const ran = await one.cli(...way.args, '--images-per-shard', '8', '--out', 'o.csv', '--json')
    expect([ran.code, JSON.parse(ran.stdout).shardsTotal], ran.stderr).toEqual([0, 3])
  }
  const ran = await one.cli(...scoring('bare.csv').args, '--rows-per-shard', '10', '--out', 'o.csv', '--json')
  expect(JSON.parse(ran.stdout).shardsTotal).toBe(3)
})

test('classify with weights that are fitted, and every form of file', async () => {
  const fitted = [...classify.args, '--merge', 'weighted', '--fit', 'photos', '--out', 'w.jsonl', '--top', '2']
  const ran = await one.cli(...fitted)
  expect([ran.code, ran.stderr]).toEqual([0, expect.stringContaining('weights from 24 images')])
  const lines = readFileSync(join(one.scratch, 'w.jsonl'), 'utf8').trim().split('\n')
  expect(lines).toHaveLength(24)
  for (const kind of ['csv', 'jsonl', 'parquet', 'npy']) {
    const bytes = await one.written(embed.args, `e.${kind}`)
    expect(bytes.length, kind).toBeGreaterThan(100)
  }
})

test('priority, detach and copies: what the job is told', async () => {
  const { request } = featuresOf('lbp')
  const { job } = await one.peer.submit({
    cwd: one.scratch,
    ...request,
    priority: 7,
    copies: 0,
    attached: true,
  } as JobRequest)
  for await (const state of one.peer.watch(job)) expect(state.workload).toBe('features')
  const ran = await one.cli(...featuresOf('lbp').args, '--priority', '9', '--out', 'p.csv')
  expect(ran.code, ran.stderr).toBe(0)
  const wrong = await one.cli(...featuresOf('lbp').args, '--priority', '1001', '--out', 'p.csv')
  expect([wrong.code === 0, wrong.stderr]).toEqual([false, expect.stringContaining('1000')])
  await expect(one.peer.submit({ cwd: one.scratch, ...request, priority: 1001 } as JobRequest)).rejects.toThrow(
    /priority/,
  )
  // Nobody else is there to hold copies, and a priority is no reason to leave.
  const { job: second } = await one.peer.submit({ cwd: one.scratch, ...request, copies: 1 } as JobRequest)
  for await (const state of one.peer.watch(second)) if (state.outcome) expect(state.copies?.placed ?? 0).toBe(0)
})

test('files of another kind in a folder are counted in the summary, from both', async () => {
  const folder = join(one.scratch, 'mixed')
  await drawSamples(folder, { count: 3, seed: 5 })
  writeFileSync(join(folder, 'notes.txt'), 'x')
  writeFileSync(join(folder, 'no-extension'), 'x')
  const { code, stderr } = await one.cli('submit', 'features', 'mixed', '--kind', 'lbp', '--out', 'm.csv')
  expect(code, stderr).toBe(0)
  expect(stderr).toMatch(/2 files of another kind passed over, such as \S*no-extension: name a file to have it taken/)
  const told = (await one.peer.jobs()).flatMap(({ passedOver }) => passedOver ?? [])
  expect(told).toEqual([{ files: 2, first: join(folder, 'no-extension') }])
})
