/**
 * Merges the networks' decisions, row by row, and writes the rows in the order of the shards. The bytes
 * depend on the spec and the shards' results alone: float64 sums in the order of the networks, ties go to
 * the label that comes first.
 */
import type { Merger, MergeSink } from '../workload.ts'
import { decodeShardScores, encodeMergedPart, encodeMergedRoot, type MergedPart } from './result.ts'
import type { ClassifySpec } from './spec.ts'

/** Rows a part: at 60 bytes a row, about half a block. */
const rowsPerPart = 8192

/**
 * The merged scores of one row: `scores[m]` is network m's probabilities at `offset` … `offset + labels`.
 * Written into `out` [labels]; `mean` [labels] gets the weighted mean, which decides between equal votes.
 */
export function mergeRow(
  spec: Pick<ClassifySpec, 'merge' | 'models'>,
  scores: readonly Float32Array[],
  offset: number,
  out: Float64Array,
  mean: Float64Array,
): void {
  const labels = out.length
  const total = spec.models.reduce((sum, model) => sum + model.weight, 0)
  out.fill(0)
  mean.fill(0)
  spec.models.forEach((model, m) => {
    const share = model.weight / total
    const row = scores[m]
    if (spec.merge === 'vote') out[argmax(row, offset, labels)] += share
    for (let c = 0; c < labels; c++) {
      mean[c] += share * row[offset + c]
      if (spec.merge === 'max') out[c] = Math.max(out[c], row[offset + c])
    }
  })
  if (spec.merge === 'mean') out.set(mean)
}

function argmax(values: ArrayLike<number>, offset: number, count: number): number {
  let best = 0
  for (let i = 1; i < count; i++) if (values[offset + i] > values[offset + best]) best = i
  return best
}

/**
 * The places of the `top` highest of values[offset … offset + count], best first; equal values by `tie`
 * (likewise at `offset`), then by place.
 */
export function topPlaces(
  values: ArrayLike<number>,
  offset: number,
  count: number,
  top: number,
  tie: ArrayLike<number> = values,
): number[] {
  // A score that is not a number ranks last: it must not scramble the order of the others.
  const key = (of: ArrayLike<number>, place: number) => (Number.isNaN(of[offset + place]) ? -1e308 : of[offset + place])
  const before = (a: number, b: number) => key(values, b) - key(values, a) || key(tie, b) - key(tie, a) || a - b
  if (top === 1) {
    let best = 0
    for (let place = 1; place < count; place++) if (before(place, best) < 0) best = place
    return [best]
  }
  return Array.from({ length: count }, (_, place) => place)
    .sort(before)
    .slice(0, top)
}

class Columns {
  readonly labels: number[] = []
  readonly scores: number[] = []

  push(values: ArrayLike<number>, offset: number, count: number, top: number, tie?: ArrayLike<number>): void {
    for (const place of topPlaces(values, offset, count, top, tie)) {
      this.labels.push(place)
      this.scores.push(values[offset + place])
    }
  }

  done() {
    return { labels: Uint32Array.from(this.labels), scores: Float32Array.from(this.scores) }
  }
}

export function classifyMerger(spec: ClassifySpec, sink: MergeSink): Merger {
  const count = spec.labels.length
  const top = Math.min(spec.top, count)
  const row = new Float64Array(count)
  const mean = new Float64Array(count)
  const parts: string[] = []
  const numericClasses = new Set<string>()
  let rows = 0
  let errors = 0
  let open = emptyPart()

  function emptyPart() {
    return {
      paths: [] as string[],
      errors: [] as MergedPart['errors'],
      merged: new Columns(),
      models: spec.models.map(() => new Columns()),
    }
  }

  async function flush(): Promise<void> {
    if (open.paths.length === 0 && open.errors.length === 0) return
    const part = open
    open = emptyPart()
    const { labels, scores } = part.merged.done()
    const models = part.models.map(model => model.done())
    parts.push(await sink.put(encodeMergedPart({ paths: part.paths, errors: part.errors, labels, scores, models })))
  }

  return {
    async add(resultBlock) {
      const result = decodeShardScores(resultBlock, spec.models.length, count)
      numericClasses.add(result.numericClass)
      const unread = new Map(result.errors.map(error => [error.row, error.reason]))
      result.paths.forEach((path, r) => {
        const reason = unread.get(r)
        if (reason !== undefined) {
          open.errors.push({ path, reason })
          errors++
          return
        }
        mergeRow(spec, result.scores, r * count, row, mean)
        open.paths.push(path)
        open.merged.push(row, 0, count, top, mean)
        open.models.forEach((columns, m) => {
          columns.push(result.scores[m], r * count, count, top)
        })
        rows++
      })
      if (open.paths.length + open.errors.length >= rowsPerPart) await flush()
    },

    async end() {
      await flush()
      return sink.put(
        encodeMergedRoot({
          labels: spec.labels,
          models: spec.models.map(model => model.name),
          merge: spec.merge,
          top,
          rows,
          errors,
          numericClasses: [...numericClasses].sort(),
          parts,
        }),
      )
    },
  }
}
