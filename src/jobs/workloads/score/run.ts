/** Scores the rows of a shard: every model on its columns, and their decisions merged, row by row. */
import { assert, PeerError } from '../../../base/errors.ts'
import type { Backend } from '../../../compute/backends/types.ts'
import { loadModel, type Model } from '../../../compute/engine/model.ts'
import { type OutputTensor, openSession, type Session } from '../../../compute/engine/session.ts'
import { fromHost, isElementType, toHost } from '../../../compute/tensor/element-type.ts'
import { readTableShard } from '../../../data/tables/shard-blocks.ts'
import type { TableShard } from '../../../data/tables/types.ts'
import { encodeRows, type Rows, TextColumn } from '../rows/result.ts'
import type { ShardRunner } from '../workload.ts'
import type { ScoreModel, ScoreSpec } from './spec.ts'

/** One model's outputs for some rows, as the spec orders them. */
export interface Scored {
  /** By output: [rows, columns], or texts. */
  outputs: (Float32Array | string[])[]
}

export function openScorer(
  spec: ScoreSpec,
  file: (place: number) => Uint8Array | undefined,
  backend: Backend,
): ShardRunner {
  const models = spec.models.map((one, place) => {
    const bytes = file(place)
    assert(bytes, 'a lane is given every file that the spec names')
    const model = loadModel(bytes)
    return { one, model, session: openSession(backend, model) }
  })
  return {
    async run(blocks) {
      const shard = readTableShard(blocks, true)
      checkColumns(shard, spec)
      const scored: Scored[] = []
      for (const { one, model, session } of models) scored.push(await scoreRows(one, model, session, shard))
      return { bytes: encodeRows(joined(spec, shard, scored, backend.numericClass)), items: shard.rows, errors: 0 }
    },
    close() {
      for (const { session } of models) session.dispose()
    },
  }
}

/** @throws PeerError of the session; MODEL_OUTPUT where an output has another shape than when the job was made */
export async function scoreRows(
  { name, inputs, outputs }: Pick<ScoreModel, 'name' | 'inputs' | 'outputs'>,
  model: Model,
  session: Session,
  shard: Pick<TableShard, 'rows' | 'columns' | 'x' | 'texts'>,
): Promise<Scored> {
  const given = inputs.map(({ name: port, kind, columns }) => {
    const info = model.inputs.find(one => one.name === port)
    // An exporter gives a single column as [N, 1], as [N], or leaves it open.
    const dims = info?.dims?.length === 1 ? [shard.rows] : [shard.rows, columns.length]
    if (kind === 'text') return [port, { type: 'string', dims, data: textsOf(shard, columns) } as const] as const
    const type = info && isElementType(info.dtype) ? info.dtype : 'float32'
    return [port, fromHost(type, dims, columnsOf(shard, columns))] as const
  })
  const results = await session.run(Object.fromEntries(given))
  return {
    outputs: outputs.map(output => {
      const tensor = results[output.name]
      const values = tensor && valuesOf(tensor)
      if (!values || values.length !== shard.rows * output.columns.length) {
        throw new PeerError({
          code: 'MODEL_OUTPUT',
          kind: 'model',
          message: `${name} gave ${values?.length ?? 'no'} values of "${output.name}" for ${shard.rows} rows, not ${output.columns.length} a row`,
        })
      }
      return values
    }),
  }
}

/** What a tensor holds for people: strings, or numbers. */
export function valuesOf(tensor: OutputTensor): Float32Array | string[] {
  return tensor.strings ? [...tensor.strings] : Float32Array.from(toHost(tensor))
}

function checkColumns({ columns, texts = [] }: TableShard, spec: ScoreSpec): void {
  const same = (names: readonly string[], wanted: readonly string[]) => names.join('\0') === wanted.join('\0')
  const names = texts.map(column => column.name)
  if (same(columns, spec.features) && same(names, spec.texts)) return
  throw new PeerError({
    code: 'SHARD_INVALID',
    kind: 'protocol',
    message: `a shard has other columns than the ${spec.features.length + spec.texts.length} that the job reads`,
  })
}

/** [rows, wanted], row by row. */
function textsOf({ rows, texts = [] }: Pick<TableShard, 'rows' | 'texts'>, wanted: readonly number[]): string[] {
  const values: string[] = []
  for (let row = 0; row < rows; row++) {
    for (const at of wanted) values.push(texts[at].texts[texts[at].codes[row]])
  }
  return values
}

function columnsOf({ rows, columns, x }: Pick<TableShard, 'rows' | 'columns' | 'x'>, wanted: readonly number[]) {
  const all = columns.length
  if (wanted.length === all && wanted.every((at, i) => at === i)) return x
  const values = new Float32Array(rows * wanted.length)
  for (let row = 0; row < rows; row++) {
    for (let c = 0; c < wanted.length; c++) values[row * wanted.length + c] = x[row * all + wanted[c]]
  }
  return values
}

/** Merged columns first, then the models'. */
function joined(spec: ScoreSpec, shard: TableShard, scored: readonly Scored[], numericClass: string): Rows {
  const { rows } = shard
  const numbers: { values: Float32Array; width: number }[] = []
  const texts: TextColumn[] = []
  if (spec.merge !== 'none') {
    const merged = mergeScores(spec, scored, rows)
    numbers.push({ values: merged.scores, width: 1 })
    if (merged.labels) texts.push(textColumn(merged.labels))
  }
  scored.forEach(({ outputs }, m) => {
    outputs.forEach((values, o) => {
      const width = spec.models[m].outputs[o].columns.length
      if (values instanceof Float32Array) numbers.push({ values, width })
      else for (let c = 0; c < width; c++) texts.push(textColumn(values.filter((_, at) => at % width === c)))
    })
  })
  const total = numbers.reduce((sum, { width }) => sum + width, 0)
  const all = new Float32Array(rows * total)
  for (let row = 0; row < rows; row++) {
    let at = row * total
    for (const { values, width } of numbers) {
      for (let c = 0; c < width; c++) all[at++] = values[row * width + c]
    }
  }
  return {
    keys: [],
    firstRow: shard.firstRow,
    rows,
    numbers: all,
    texts: texts.map(column => column.done()),
    errors: [],
    numericClasses: [numericClass],
  }
}

function textColumn(values: readonly string[]): TextColumn {
  const column = new TextColumn()
  for (const value of values) column.push(value)
  return column
}

/**
 * The merged score of each row and, where there are classes, the best one's name. Float64 sums in the order of the models;
 * of equal classes the one that comes first.
 */
export function mergeScores(
  { models, merge, classes }: Pick<ScoreSpec, 'models' | 'merge' | 'classes'>,
  scored: readonly Scored[],
  rows: number,
): { scores: Float32Array; labels?: string[] } {
  const total = models.reduce((sum, one) => sum + one.weight, 0)
  const scores = new Float32Array(rows)
  const labels: string[] = []
  const sums = new Float64Array(classes.length)
  for (let row = 0; row < rows; row++) {
    sums.fill(merge === 'max' ? Number.NEGATIVE_INFINITY : 0)
    models.forEach(({ weight, merged }, m) => {
      assert(merged, 'a model that is merged says what of it is')
      const values = scored[m].outputs[merged.output] as Float32Array // the spec was checked: numbers
      const first = row * merged.classes.length
      const share = weight / total
      if (merge === 'vote') sums[merged.classes[bestOf(values, first, merged.classes.length)]] += share
      merged.classes.forEach((place, i) => {
        if (merge === 'mean') sums[place] += share * values[first + i]
        if (merge === 'max') sums[place] = Math.max(sums[place], values[first + i])
      })
    })
    const best = bestOf(sums, 0, sums.length)
    scores[row] = sums[best]
    labels.push(classes[best])
  }
  return classes.length === 1 ? { scores } : { scores, labels }
}

function bestOf(values: ArrayLike<number>, first: number, count: number): number {
  let best = 0
  for (let i = 1; i < count; i++) if (values[first + i] > values[first + best]) best = i
  return best
}
