/** The HTML report of a training: well formed, nothing of the data taken for markup, degenerate curves and matrices too. */
import { expect, test } from 'vitest'
import { type TrainingReport, trainingReport } from '../../../src/data/writers/training-report.ts'

const report = (more: Partial<TrainingReport> = {}) =>
  trainingReport({ title: 'softmax', facts: [['rows', '1,797']], objective: 'loss', history: [3, 2, 1.5], ...more })

/** Every tag that is opened is closed, in order. */
function unclosed(html: string): string[] {
  const open: string[] = []
  for (const [, slash, name, selfClosing] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)(?:[^<>]*?)(\/?)>/g)) {
    if (name === 'meta' || selfClosing) continue
    if (!slash) open.push(name)
    else if (open.pop() !== name) return [`</${name}>`]
  }
  return open
}

test.each<[string, Partial<TrainingReport>]>([
  ['a curve', {}],
  ['one round', { history: [2] }],
  ['a flat curve', { history: [2, 2, 2] }],
  ['no round', { history: [] }],
  ['values that are none', { history: [Number.NaN, 5, Number.POSITIVE_INFINITY, 4] }],
  ['many rounds', { history: Array.from({ length: 100_000 }, (_, i) => 1 / (i + 1)) }],
  ['a matrix', { confusion: { names: ['a', 'b'], counts: [8, 2, 1, 9] } }],
  ['a matrix of nothing', { confusion: { names: ['a'], counts: [0] } }],
])('%s is well-formed and has no broken number', (_, more) => {
  const html = report(more)
  expect(unclosed(html)).toEqual([])
  expect(html.replace(/<title>.*<\/title>/, '')).not.toMatch(/NaN|Infinity|undefined/)
  expect(html.length).toBeLessThan(60_000)
})

test('the curve falls from its first value to its last', () => {
  const points = /polyline[^>]*points="([^"]*)"/
    .exec(report())?.[1]
    .split(' ')
    .map(point => point.split(',').map(Number))
  expect(points?.length).toBe(3)
  const ys = points?.map(([, y]) => y) ?? []
  expect(ys).toEqual([...ys].sort((a, b) => a - b)) // y grows downwards
  expect(report()).toContain('After 3 rounds: 1.5')
})

test('the matrix counts what is right, and too large a one is left out', () => {
  expect(report({ confusion: { names: ['a', 'b'], counts: [8, 2, 1, 9] } })).toContain(
    '17 of 20 training rows are classified right (accuracy 85.00%)',
  )
  const names = Array.from({ length: 100 }, (_, i) => String(i))
  expect(report({ confusion: { names, counts: new Float64Array(10_000) } })).toContain('100 classes are too many')
})

test('names of the data are text and no markup', () => {
  const html = report({
    title: '<script>alert(1)</script>',
    facts: [['<b>', '"&']],
    confusion: { names: ['<i>', '</td>'], counts: [1, 0, 0, 1] },
  })
  expect(html).not.toMatch(/<script|<b>|<i>/)
  expect(unclosed(html)).toEqual([])
})
