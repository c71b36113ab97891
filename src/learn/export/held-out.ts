/** What a classifier is worth on rows that it did not learn from, as its card tells it. */
import { z } from 'zod'
import { limits } from '../../base/limits.ts'

const rows = z.int().min(0)

export const heldOutSchema = z.strictObject({
  /** Of the table's rows, as it was asked for. */
  share: z.number(),
  rows,
  /** Rows of a class that no training row has; they count as wrong. */
  unknown: rows,
  accuracy: z.number().nullable(),
  /** By class, in the order of the outputs: of its rows, the share that is right; null where it has none. */
  recall: z.array(z.number().nullable()).max(limits.labelsMax),
  /** [class of the data][class that the model says] */
  confusion: z.array(z.array(rows)).max(limits.labelsMax),
})

export type HeldOut = z.infer<typeof heldOutSchema>

/** @param counts [classes, classes] and then the rows of unknown classes */
export function judged(share: number, names: readonly string[], counts: Float64Array): HeldOut {
  const size = names.length
  const confusion = names.map((_, i) => [...counts.subarray(i * size, (i + 1) * size)])
  const totals = confusion.map(line => line.reduce((sum, count) => sum + count, 0))
  const unknown = counts[size * size]
  const all = totals.reduce((sum, total) => sum + total, unknown)
  const right = confusion.reduce((sum, line, i) => sum + line[i], 0)
  return {
    ...{ share, rows: all, unknown, confusion },
    accuracy: all > 0 ? right / all : null,
    recall: confusion.map((line, i) => (totals[i] > 0 ? line[i] / totals[i] : null)),
  }
}
