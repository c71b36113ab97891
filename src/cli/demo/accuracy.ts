/** How often each network and the merge were right, where each image lies in a folder named after its label. */
import { basename, dirname } from 'node:path'
import type { ResultItem } from '../../peer/control.ts'

export interface Accuracy {
  /** A model's name, or `merged`. */
  name: string
  correct: number
  rows: number
  accuracy: number
}

/** Undefined when the folders' names are no labels: nothing is known about what is right. */
export async function accuracies(items: AsyncIterable<ResultItem>): Promise<Accuracy[] | undefined> {
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
    tally('merged', item.top[0].label === truth)
  }
  if (rows === 0) return undefined
  return [...correct].map(([name, right]) => ({ name, correct: right, rows, accuracy: right / rows }))
}
