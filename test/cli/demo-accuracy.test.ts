/** The demo's table: how often each model and the merge were right, and the merge without the one that was learnt. */
import { expect, test } from 'vitest'
import { accuracies } from '../../src/cli/demo/accuracy.ts'
import type { ResultItem } from '../../src/peer/control.ts'

const labels = ['fig', 'kiwi']

/** A row of a picture that is a fig, by each model's probability of it. */
function row(path: string, a: number, b: number, learnt: number): ResultItem {
  const top = (fig: number) =>
    [
      { label: 'fig', score: fig },
      { label: 'kiwi', score: 1 - fig },
    ].sort((x, y) => y.score - x.score)
  const models = Object.entries({ a, b, learnt }).map(([name, fig]) => ({ name, top: top(fig) }))
  return { type: 'row', path, top: top((a + b + learnt) / 3), models }
}

async function* items(...rows: ResultItem[]): AsyncIterable<ResultItem> {
  const header = {
    labels,
    models: ['a', 'b', 'learnt'],
    merge: 'mean',
    top: 2,
    rows: 2,
    errors: 0,
    numericClasses: ['x'],
  }
  yield { type: 'header', job: 'j', ...header }
  yield* rows
}

test('each model, the mean of all, and the mean without one', async () => {
  const found = await accuracies(items(row('d/fig/1.jpg', 0.6, 0.3, 0.9), row('d/fig/2.jpg', 0.9, 0.4, 0.3)), 'learnt')
  expect(Object.fromEntries((found ?? []).map(({ name, correct }) => [name, correct]))).toEqual({
    a: 2,
    b: 0,
    learnt: 1,
    'merged without learnt': 1,
    merged: 2,
  })
  expect(
    (await accuracies(items(row('d/fig/1.jpg', 0.6, 0.3, 0.9)), 'learnt'))?.map(one => [one.name, one.correct]),
  ).toEqual([
    ['a', 1],
    ['b', 0],
    ['learnt', 1],
    ['merged without learnt', 0],
    ['merged', 1],
  ])
  expect((await accuracies(items(row('d/fig/1.jpg', 0.6, 0.3, 0.9)), 'absent'))?.map(one => one.name)).toEqual([
    ...['a', 'b', 'learnt', 'merged'],
  ])
  expect(await accuracies(items(row('d/other/1.jpg', 0.6, 0.3, 0.9)))).toBeUndefined()
})
