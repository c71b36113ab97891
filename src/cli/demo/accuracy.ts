/** How often each network and the merge were right, where each image lies in a folder named after its label. */
import { basename, dirname } from 'node:path'
import type { Ranked, ResultItem } from '../../peer/control.ts'

export interface Accuracy {
  /** A model's name, or `merged`. */
  name: string
  correct: number
  rows: number
  accuracy: number
}

/**
 * Undefined when the folders' names are no labels: nothing is known about what is right.
 * @param without a model that the mean is also taken without, to show what it adds; each model's result has every label then
 */
export async function accuracies(items: AsyncIterable<ResultItem>, without?: string): Promise<Accuracy[] | undefined> {
  const correct = new Map<string, number>()
  let labels = new Set<string>()
  let rows = 0
  const tally = (name: string, right: boolean) => correct.set(name, (correct.get(name) ?? 0) + Number(right))
  for await (const item of items) {
    if (item.type === 'header') labels = new Set(item.labels)
    if (item.type !== 'row') continue
    const truth = basename(dirname(item.path))
    if (!labels.has(truth)) return undefined
    rows++
    for (const model of item.models) tally(model.name, model.top[0].label === truth)
    const others = item.models.filter(model => model.name !== without)
    if (others.length < item.models.length) tally(`merged without ${without}`, bestOf(others) === truth)
    tally('merged', item.top[0].label === truth)
  }
  if (rows === 0) return undefined
  return [...correct].map(([name, right]) => ({ name, correct: right, rows, accuracy: right / rows }))
}

/** The label of the highest mean of the models' probabilities. */
function bestOf(models: readonly { top: readonly Ranked[] }[]): string | undefined {
  const sums = new Map<string, number>()
  for (const { top } of models) for (const { label, score } of top) sums.set(label, (sums.get(label) ?? 0) + score)
  return [...sums].sort(([, a], [, b]) => b - a)[0]?.[0]
}
