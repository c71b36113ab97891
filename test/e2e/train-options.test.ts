/**
 * Every option of every training method, from the command line and from `peer.submit`: both write the same file, byte for byte,
 * and the model (or how it came about) differs from the one without the option.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { prng } from '../../src/base/prng.ts'
import type { JobRequest, ResultItem } from '../../src/peer/control.ts'
import { answers, modelOf, type OnePeer, onePeer } from './one-peer.ts'

type Train = Extract<JobRequest, { workload: 'train' }>

interface Way {
  options: Record<string, unknown>
  table?: Train['table']
  args: string[]
}

interface Case {
  method: string
  /** What the option is added to. */
  base?: Way
  /** Of one option, by its name in the library. */
  option: string
  with: Way
  input?: string
}

let one: OnePeer
beforeAll(async () => {
  one = await onePeer()
  writeTables(one.scratch)
})
afterAll(() => one.stop())

const labelled = ['rows.csv', 'gaps.csv']

/** Columns a, b, c of numbers that overlap, a class and a number. */
function writeTables(folder: string): void {
  const random = prng(5)
  const rows = Array.from({ length: 60 }, (_, i) => {
    const kind = i % 3
    const x = [random.normal() + kind, 3 * random.normal() - kind, random.next() * 2]
    return [
      ...x.map(value => value.toFixed(3)),
      ['fig', 'kiwi', 'plum'][kind],
      (2 * x[0] - x[1] + random.normal()).toFixed(3),
    ]
  })
  const text = (lines: string[][], comma = ',') => lines.map(line => line.join(comma)).join('\n')
  const head = ['a', 'b', 'c', 'kind', 'price']
  writeFileSync(join(folder, 'rows.csv'), text([head, ...rows]))
  writeFileSync(join(folder, 'bare.csv'), text(rows.map(row => row.slice(0, 3))))
  writeFileSync(
    join(folder, 'semicolons.csv'),
    text(
      rows.map(row => row.slice(0, 3)),
      ';',
    ),
  )
  const gaps = rows.map((row, i) => (i % 7 === 3 ? ['', ...row.slice(1)] : row))
  writeFileSync(join(folder, 'gaps.csv'), text([head, ...gaps]))
  const bad = rows.map((row, i) => (i === 9 ? ['oops', ...row.slice(1)] : row))
  writeFileSync(join(folder, 'bad.csv'), text([head, ...bad]))
  writeFileSync(join(folder, 'starts.json'), JSON.stringify(starts))
}

const starts = [
  [0, 0, 1],
  [5, 5, 1],
  [-3, 2, 0],
]

const features: Way = { options: {}, table: { features: ['a', 'b', 'c'] }, args: ['--features', 'a,b,c'] }
const joined = (...ways: (Way | undefined)[]): Way => ({
  options: Object.assign({}, ...ways.map(way => way?.options)),
  table: Object.assign({}, ...ways.map(way => way?.table)),
  args: ways.flatMap(way => way?.args ?? []),
})
const option = (name: string, value: unknown, ...args: string[]): Way => ({ options: { [name]: value }, args })
const tabled = (name: string, value: unknown, ...args: string[]): Way => ({
  options: {},
  table: { [name]: value },
  args,
})

const bases: Record<string, Way> = {
  kmeans: joined(features, option('k', 3, '--k', '3')),
  gmm: joined(features, option('k', 3, '--k', '3')),
  softmax: joined(features, tabled('label', 'kind', '--label', 'kind')),
  svm: joined(features, tabled('label', 'kind', '--label', 'kind')),
  linear: joined(features, tabled('label', 'price', '--label', 'price')),
  pca: joined(features, option('components', 2, '--components', '2')),
}

const sgd = option('solver', 'sgd', '--solver', 'sgd')
const slow = joined(sgd, option('learningRate', 0.0001, '--learning-rate', '0.0001'))
const small = joined(slow, option('batchRows', 16, '--batch-rows', '16'))
const randomised = option('solver', 'randomised', '--randomised')

const everyMethod = (method: string): Omit<Case, 'method'>[] => [
  // Plain least squares and k-means of the same shape look the same divided: a penalty, or a mixture, does not.
  { option: 'divide', with: option('divide', 10, '--divide', '10'), ...(method === 'linear' && { base: ridge }) },
  {
    option: 'standardise',
    with: option('standardise', 'standard', '--standardise'),
    ...(method === 'linear' && { base: ridge }),
  },
]
const ridge = option('alpha', 10, '--alpha', '10')

const descents: Omit<Case, 'method'>[] = [
  { option: 'solver sgd', with: small },
  { option: 'solver adam', with: option('solver', 'adam', '--solver', 'adam') },
  { option: 'learningRate', base: slow, with: option('learningRate', 0.00002, '--learning-rate', '0.00002') },
  { option: 'momentum', base: slow, with: option('momentum', 0.1, '--momentum', '0.1') },
  { option: 'batchRows', base: slow, with: option('batchRows', 16, '--batch-rows', '16') },
  { option: 'epochs', base: slow, with: option('epochs', 2, '--epochs', '2') },
  { option: 'seed', base: small, with: option('seed', 7, '--seed', '7') },
]
const lbfgs = (base?: Way): Omit<Case, 'method'>[] => [
  { option: 'tolerance', base, with: option('tolerance', 0.5, '--tolerance', '0.5') },
  { option: 'roundsMax', base, with: option('roundsMax', 1, '--rounds', '1') },
]

const cases: Case[] = [
  ...Object.keys(bases).flatMap(method => everyMethod(method).map(one => ({ method, ...one }))),
  ...['kmeans', 'gmm'].flatMap(method => [
    { method, option: 'k', with: option('k', 4, '--k', '4') },
    { method, option: 'init', with: option('init', starts, '--init', 'starts.json') },
    { method, option: 'tolerance', with: option('tolerance', 1, '--tolerance', '1') },
    { method, option: 'roundsMax', with: option('roundsMax', 1, '--rounds', '1') },
    { method, option: 'seed', with: option('seed', 7, '--seed', '7') },
  ]),
  ...['tied', 'diag', 'spherical'].map(kind => ({
    method: 'gmm',
    option: `covariance ${kind}`,
    with: option('covariance', kind, '--covariance', kind),
  })),
  { method: 'gmm', option: 'regCovar', with: option('regCovar', 0.5, '--reg-covar', '0.5') },
  ...['softmax', 'svm', 'linear'].flatMap(method => descents.map(one => ({ method, ...one }))),
  ...['softmax', 'svm'].flatMap(method => [
    ...lbfgs().map(one => ({ method, ...one })),
    { method, option: 'c', with: option('c', 0.01, '--c', '0.01') },
  ]),
  ...lbfgs(option('solver', 'lbfgs', '--solver', 'lbfgs')).map(one => ({ method: 'linear', ...one })),
  { method: 'linear', option: 'alpha', with: ridge },
  { method: 'softmax', option: 'label', with: tabled('label', 'price', '--label', 'price') },
  { method: 'pca', option: 'components', with: option('components', 1, '--components', '1') },
  {
    method: 'pca',
    option: 'solver',
    with: joined(
      randomised,
      option('iterations', 0, '--iterations', '0'),
      option('oversampling', 0, '--oversampling', '0'),
    ),
  },
  {
    method: 'pca',
    option: 'oversampling',
    base: joined(
      randomised,
      option('components', 1, '--components', '1'),
      option('iterations', 0, '--iterations', '0'),
    ),
    with: option('oversampling', 0, '--oversampling', '0'),
  },
  {
    method: 'pca',
    option: 'iterations',
    base: joined(
      randomised,
      option('components', 1, '--components', '1'),
      option('oversampling', 0, '--oversampling', '0'),
    ),
    with: option('iterations', 0, '--iterations', '0'),
  },
  {
    method: 'pca',
    option: 'seed',
    base: joined(
      randomised,
      option('components', 1, '--components', '1'),
      option('oversampling', 0, '--oversampling', '0'),
      option('iterations', 0, '--iterations', '0'),
    ),
    with: option('seed', 7, '--seed', '7'),
  },
  // How the table is read: every method reads it the same way.
  { method: 'kmeans', option: 'features', with: tabled('features', ['c', 'b', 'a'], '--features', 'c,b,a') },
  { method: 'kmeans', option: 'rowsPerShard', with: tabled('rowsPerShard', 7, '--rows-per-shard', '7') },
]

async function both(method: string, way: Way, input: string): Promise<{ items: ResultItem[]; onnx: Buffer }> {
  const options = { method, ...way.options }
  const request: JobRequest = { workload: 'train', inputs: [input], cwd: one.scratch, options, table: way.table }
  const items = await one.library(request)
  const onnx = modelOf(items)
  const written = await one.written(['submit', 'train', method, input, ...way.args], 'model.onnx')
  expect(written.equals(onnx), 'the command and the library make the same file').toBe(true)
  return { items, onnx }
}

/** What an option can change: what the model says, or how it came about. */
async function facts({ items, onnx }: { items: ResultItem[]; onnx: Buffer }): Promise<string> {
  const [root] = items
  if (root.type !== 'model') throw new Error('a training gives a model')
  const { dataHash } = JSON.parse(root.card)
  return JSON.stringify([await answers(onnx, 3), root.rounds, root.rows, dataHash])
}

const library = async (method: string, way: Way, input = 'rows.csv') => {
  const options = { method, ...way.options }
  const items = await one.library({ workload: 'train', inputs: [input], cwd: one.scratch, options, table: way.table })
  return { items, onnx: modelOf(items) }
}

test.each(cases)(
  'train $method: $option has its effect from the command line and the library',
  async ({ method, base, with: way, input }) => {
    const plain = joined(bases[method], base)
    const without = await facts(await library(method, plain))
    expect(await facts(await both(method, joined(plain, way), input ?? 'rows.csv'))).not.toBe(without)
  },
)

test.each(Object.keys(bases))('train %s with nothing but what it needs', async method => {
  const { items } = await both(method, bases[method], 'rows.csv')
  expect(items[0]).toMatchObject({ type: 'model', method, rows: 60 })
})

test.each(Object.keys(bases))('train %s: missing values, in the options or in the table', async method => {
  const way = bases[method]
  await expect(library(method, way, 'gaps.csv')).rejects.toThrow(/missing|empty/)
  const inTable = await library(method, joined(way, tabled('missing', 'mean')), 'gaps.csv')
  const inOptions = await both(method, joined(way, option('missing', 'mean', '--missing', 'mean')), 'gaps.csv')
  expect(inTable.onnx.equals(inOptions.onnx)).toBe(true)
  expect(await facts(inTable)).not.toBe(await facts(await library(method, way)))
  const torn = joined(way, option('missing', 'mean'), tabled('missing', 'error'))
  await expect(library(method, torn, 'gaps.csv')).rejects.toThrow(
    /option --missing: is "mean", and "error" in the table/,
  )
})

test('the table is read as its options say', async () => {
  const k = option('k', 2, '--k', '2')
  const bare = await library('kmeans', k, 'bare.csv')
  expect(bare.items[0]).toMatchObject({ rows: 60 })
  const headed = await both('kmeans', joined(k, tabled('header', 'yes', '--header', 'yes')), 'bare.csv')
  expect(headed.items[0]).toMatchObject({ rows: 59 })
  const cut = await both('kmeans', joined(k, tabled('delimiter', ';', '--delimiter', ';')), 'semicolons.csv')
  expect(await answers(cut.onnx, 3)).toBe(await answers(bare.onnx, 3))
  const skipped = await library('kmeans', joined(k, tabled('skipLines', 10)), 'bare.csv')
  expect(skipped.items[0]).toMatchObject({ rows: 50 })
  const way = joined(features, k)
  await expect(library('kmeans', joined(way), 'bad.csv')).rejects.toThrow(/bad.csv/)
  const strict = await one.cli('submit', 'train', 'kmeans', 'bad.csv', ...way.args, '--strict', '--out', 'no.onnx')
  expect([strict.code, strict.stderr]).toEqual([2, expect.stringContaining('bad.csv')])
  const left = await both('kmeans', joined(way, tabled('badRows', 'skip', '--skip-bad-rows')), 'bad.csv')
  expect(left.items[0]).toMatchObject({ rows: 59 })
})

test('linear learns the number that the label names', async () => {
  const [price, c] = await Promise.all(
    ['price', 'c'].map(label => {
      const way = joined(tabled('features', ['a', 'b']), tabled('label', label))
      return library('linear', way)
    }),
  )
  expect(await answers(price.onnx, 2)).not.toBe(await answers(c.onnx, 2))
})

test('a checkpoint keeps the state, and the training goes on from it', async () => {
  const request = { workload: 'train' as const, inputs: ['rows.csv'], cwd: one.scratch }
  const whole = await library('softmax', bases.softmax)
  const options = { method: 'softmax' }
  const first = await one.library({ ...request, options, table: bases.softmax.table, checkpoint: 'state.bin' })
  expect([existsSync(join(one.scratch, 'state.bin')), modelOf(first).equals(whole.onnx)]).toEqual([true, true])
  const ran = await one.cli(
    ...[
      'submit',
      'train',
      'softmax',
      'rows.csv',
      ...bases.softmax.args,
      '--checkpoint',
      'state.bin',
      '--out',
      'b.onnx',
    ],
  )
  expect([ran.code, ran.stderr]).toEqual([0, expect.stringContaining('goes on after its round')])
})

test('an option that would change nothing is refused by its name', async () => {
  const refused = async (method: string, way: Way, name: string) => {
    await expect(library(method, joined(bases[method], way))).rejects.toThrow(`the training's option --${name}`)
    const ran = await one.cli(
      'submit',
      'train',
      method,
      'rows.csv',
      ...bases[method].args,
      ...way.args,
      '--out',
      'n.onnx',
    )
    expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining(`the training's option --${name}`)])
  }
  await refused('softmax', option('momentum', 0.5, '--momentum', '0.5'), 'momentum')
  await refused('linear', option('tolerance', 0.5, '--tolerance', '0.5'), 'tolerance')
  await refused('pca', option('iterations', 3, '--iterations', '3'), 'iterations')
  await refused('kmeans', option('alpha', 3, '--alpha', '3'), 'alpha')
  const request = { workload: 'train' as const, inputs: labelled, cwd: one.scratch, options: { method: 'linear' } }
  await expect(one.library({ ...request, table: { label: 'kind', labelKind: 'class' } })).rejects.toThrow(/labelKind/)
})
