/**
 * A training, whatever its method: a first round that summarises the table, then the method's rounds. One process
 * (`train`) and a mesh drive it alike: parameters out, a partial from each shard, merged in the tree of their order, update.
 *
 * Invariant: the same options and shards give the same bits of every parameter, whoever computed what in which order, as long
 * as all backends are of one numeric class. Parameters and partials survive their bytes exactly.
 */
import { z } from 'zod'
import { assert, PeerError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { TableShard } from '../data/tables/types.ts'
import { type Arrays, addArrays, decodeArrays, encodeArrays, type Layout } from './arrays.ts'
import type { Engine } from './device/engine.ts'
import type { Method, Setting, TrainedModel } from './method.ts'
import { gmm } from './methods/gmm.ts'
import { kmeans } from './methods/kmeans.ts'
import { linear, softmax, svm } from './methods/linear.ts'
import { pca } from './methods/pca.ts'
import type { TrainOptions } from './options.ts'
import {
  type ClassCounts,
  filledShard,
  finishSummary,
  mergeMoments,
  momentNames,
  momentsOf,
  type Summary,
} from './summary.ts'
import { transformOf } from './transform.ts'

/** All that the next round needs. Plain data; `encodeParameters` makes bytes of it. */
export type Parameters =
  | { stage: 'summary' }
  | {
      stage: 'rounds'
      /** Rounds of the method that are finished. */
      round: number
      summary: Summary
      arrays: Arrays
      /** Of the last round; NaN where it had none. */
      objective: number
      done: boolean
      /** Whether the rounds ended before the method did. */
      cut?: true
    }

/** What one shard, or several merged, add to a round. */
export type PartialSum =
  | { stage: 'summary'; arrays: Arrays; classes: ClassCounts | undefined }
  | { stage: 'rounds'; arrays: Arrays }

export interface Training {
  readonly options: TrainOptions
  /** What the objective is called, and whether it falls. */
  readonly objective: { name: string; falls: boolean }
  start(): Parameters
  /** @throws PeerError of kind `resource` (the device), TABLE_COLUMNS where the shard has other columns */
  partial(engine: Engine, parameters: Parameters, shard: TableShard): Promise<PartialSum>
  merge(a: PartialSum, b: PartialSum): PartialSum
  /** @throws PeerError kind `input` where data and options do not go together */
  update(parameters: Parameters, merged: PartialSum): Parameters
  /** Once there is a summary. */
  model(parameters: Parameters): { model: TrainedModel; setting: Setting }
  encodeParameters(parameters: Parameters): Uint8Array
  /** @throws PeerError LEARN_BAD_BLOCK */
  decodeParameters(bytes: Uint8Array): Parameters
  encodePartial(partial: PartialSum): Uint8Array
  /** @param parameters those that the partial was made for. @throws PeerError LEARN_BAD_BLOCK */
  decodePartial(bytes: Uint8Array, parameters: Parameters): PartialSum
}

/** @param columns names of the features, as all shards have them */
export function createTraining(options: TrainOptions, columns: readonly string[]): Training {
  switch (options.method) {
    case 'kmeans':
      return withMethod(options, columns, kmeans)
    case 'gmm':
      return withMethod(options, columns, gmm)
    case 'softmax':
      return withMethod(options, columns, softmax)
    case 'svm':
      return withMethod(options, columns, svm)
    case 'linear':
      return withMethod(options, columns, linear)
    case 'pca':
      return withMethod(options, columns, pca)
  }
}

function withMethod<O extends TrainOptions>(options: O, columns: readonly string[], method: Method<O>): Training {
  const settings = new WeakMap<Summary, Setting<O>>()
  const settingOf = (summary: Summary): Setting<O> => {
    const known = settings.get(summary)
    const setting = known ?? { options, summary, transform: transformOf(options, summary) }
    if (!known) settings.set(summary, setting)
    return setting
  }
  const roundsMax = 'roundsMax' in options && !method.endsItself ? options.roundsMax : limits.roundsMax
  const begin = (summary: Summary): Parameters => {
    checkGaps(options, summary)
    checkSize(summary, method.parameterLayout(settingOf(summary)), method.partialLayout(settingOf(summary)))
    const arrays = method.start(settingOf(summary))
    return { stage: 'rounds', round: 0, summary, arrays, objective: Number.NaN, done: false }
  }
  return {
    options,
    objective: method.objective,
    start: () => ({ stage: 'summary' }),
    async partial(engine, parameters, shard) {
      checkColumns(shard, columns)
      if (parameters.stage === 'summary') return { stage: 'summary', ...momentsOf(shard) }
      const setting = settingOf(parameters.summary)
      return {
        stage: 'rounds',
        arrays: await method.partial(
          setting,
          engine,
          parameters.arrays,
          filledShard(shard, parameters.summary),
          parameters.round,
        ),
      }
    },
    merge(a, b) {
      if (a.stage === 'summary' && b.stage === 'summary') return { stage: 'summary', ...mergeMoments(a, b) }
      assert(a.stage === 'rounds' && b.stage === 'rounds', 'partials of one round are merged')
      return { stage: 'rounds', arrays: (method.merge ?? addArrays)(a.arrays, b.arrays) }
    },
    update(parameters, merged) {
      if (parameters.stage === 'summary') {
        assert(merged.stage === 'summary', 'the first round summarises')
        return begin(finishSummary(merged, columns))
      }
      const { summary } = parameters
      const { arrays, objective, done, converged } = method.update(
        settingOf(summary),
        parameters.arrays,
        merged.arrays,
        parameters.round,
      )
      const round = parameters.round + 1
      const cut = converged === false || (!done && round >= roundsMax)
      return { stage: 'rounds', round, summary, arrays, objective, done: done || cut, ...(cut && { cut }) }
    },
    model(parameters) {
      assert(parameters.stage === 'rounds', 'a model comes of rounds')
      const setting = settingOf(parameters.summary)
      return { model: method.model(setting, parameters.arrays), setting }
    },
    encodeParameters,
    decodeParameters: bytes => decodeParameters(bytes, columns, summary => method.parameterLayout(settingOf(summary))),
    encodePartial: partial => encodePartial(partial, columns.length),
    decodePartial: (bytes, parameters) =>
      decodePartial(
        bytes,
        parameters,
        columns.length,
        parameters.stage === 'summary'
          ? undefined
          : method.partialLayout(settingOf(parameters.summary), parameters.arrays),
      ),
  }
}

function checkSize(summary: Summary, ...layouts: Layout[]): void {
  for (const layout of layouts) {
    const values = Object.values(layout).reduce((sum, length) => sum + length, 0)
    if (values <= limits.learnValuesMax) continue
    throw new PeerError({
      code: 'LEARN_TOO_LARGE',
      kind: 'input',
      message: `the model would hold ${values} numbers for ${summary.features} features, at most ${limits.learnValuesMax} are taken; take fewer components or features`,
    })
  }
}

function checkGaps(options: TrainOptions, summary: Summary): void {
  const gap = summary.counts.findIndex(count => count < summary.rows)
  if (gap < 0 || options.missing === 'mean') return
  throw new PeerError({
    code: 'TABLE_MISSING_VALUE',
    kind: 'input',
    message: `column "${summary.columns[gap]}" lacks ${summary.rows - summary.counts[gap]} values; have them filled with the mean, or leave such rows out`,
  })
}

function checkColumns(shard: TableShard, columns: readonly string[]): void {
  if (shard.columns.length === columns.length && shard.columns.every((name, i) => name === columns[i])) return
  throw new PeerError({
    code: 'TABLE_COLUMNS',
    kind: 'input',
    message: `shard ${shard.index} has other columns than the table began with; give files of one kind`,
  })
}

const whole = z.int().min(0).max(Number.MAX_SAFE_INTEGER)
const name = z.string().max(limits.cellCharsMax)

const labelSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({ kind: z.literal('number'), mean: z.number(), squares: z.number() }),
  z.strictObject({
    kind: z.literal('class'),
    names: z.array(name).max(limits.labelsMax),
    counts: z.array(whole).max(limits.labelsMax),
  }),
])

const parametersHead = z.discriminatedUnion('stage', [
  z.strictObject({ stage: z.literal('summary') }),
  z.strictObject({
    stage: z.literal('rounds'),
    round: z.int().min(0).max(limits.roundsMax),
    rows: z.int().min(1).max(Number.MAX_SAFE_INTEGER),
    label: labelSchema,
    /** null: NaN, which JSON lacks. */
    objective: z.number().nullable(),
    done: z.boolean(),
    cut: z.literal(true).optional(),
  }),
])

const partialHead = z.discriminatedUnion('stage', [
  z.strictObject({
    stage: z.literal('summary'),
    /** A label that is a number has a column of its own. */
    numberLabel: z.boolean(),
    classes: z
      .array(z.tuple([name, whole]))
      .max(limits.labelsMax)
      .optional(),
  }),
  z.strictObject({ stage: z.literal('rounds') }),
])

function parseHead<T>(schema: z.ZodType<T>, head: string): T {
  let raw: unknown
  try {
    raw = JSON.parse(head)
  } catch {
    raw = undefined
  }
  const parsed = schema.safeParse(raw)
  if (parsed.success) return parsed.data
  throw badBlock('its head is not one of a training')
}

function badBlock(problem: string): PeerError {
  return new PeerError({
    code: 'LEARN_BAD_BLOCK',
    kind: 'protocol',
    message: `a block of a training cannot be read: ${problem}; the peer that sent it may have another version`,
  })
}

/** The summary's own arrays, beside the method's. */
const summaryPrefix = 'summary.'

function encodeParameters(parameters: Parameters): Uint8Array {
  if (parameters.stage === 'summary') return encodeArrays(JSON.stringify({ stage: 'summary' }), {})
  const { summary, round, done, cut, objective } = parameters
  const head = {
    ...{ stage: 'rounds', round, rows: summary.rows, label: summary.label, done, cut },
    objective: Number.isFinite(objective) ? objective : null,
  }
  const own = momentNames.map((column): [string, Float64Array] => [summaryPrefix + column, summary[column]])
  return encodeArrays(JSON.stringify(head), { ...Object.fromEntries(own), ...parameters.arrays })
}

function decodeParameters(
  bytes: Uint8Array,
  columns: readonly string[],
  layoutOf: (summary: Summary) => Layout,
): Parameters {
  const features = columns.length
  const moments: Layout = Object.fromEntries(momentNames.map(column => [summaryPrefix + column, features]))
  const summaryOf = (head: z.infer<typeof parametersHead>, arrays: Arrays): Summary => {
    assert(head.stage === 'rounds', 'a summary is there after its round')
    const [counts, mean, squares, low, high] = momentNames.map(
      column => arrays[summaryPrefix + column] ?? new Float64Array(features),
    )
    return { rows: head.rows, features, columns, label: head.label, counts, mean, squares, low, high }
  }
  const read = decodeArrays(
    bytes,
    text => {
      const head = parseHead(parametersHead, text)
      return head.stage === 'summary' ? {} : { ...moments, ...layoutOf(summaryOf(head, {})) }
    },
    'the parameters',
  )
  const head = parseHead(parametersHead, read.head)
  if (head.stage === 'summary') return { stage: 'summary' }
  const arrays = Object.fromEntries(Object.entries(read.arrays).filter(([key]) => !key.startsWith(summaryPrefix)))
  const { round, done, cut, objective } = head
  return {
    ...{ stage: 'rounds', round, done, arrays },
    ...(cut && { cut }),
    objective: objective ?? Number.NaN,
    summary: summaryOf(head, read.arrays),
  }
}

function encodePartial(partial: PartialSum, features: number): Uint8Array {
  if (partial.stage === 'rounds') return encodeArrays(JSON.stringify({ stage: 'rounds' }), partial.arrays)
  const { classes, arrays } = partial
  const numberLabel = arrays.mean.length > features
  const head = { stage: 'summary', numberLabel, ...(classes && { classes: [...classes] }) }
  return encodeArrays(JSON.stringify(head), arrays)
}

/** @param layout of the method's partials; undefined in the round that summarises */
function decodePartial(
  bytes: Uint8Array,
  parameters: Parameters,
  features: number,
  layout: Layout | undefined,
): PartialSum {
  const read = decodeArrays(
    bytes,
    text => {
      const head = parseHead(partialHead, text)
      if (head.stage !== parameters.stage) throw badBlock('it is of another round')
      if (layout) return layout
      const columns = features + (head.stage === 'summary' && head.numberLabel ? 1 : 0)
      return { rows: 1, ...Object.fromEntries(momentNames.map(column => [column, columns])) }
    },
    'a partial sum',
  )
  const head = parseHead(partialHead, read.head)
  if (head.stage === 'rounds') return { stage: 'rounds', arrays: read.arrays }
  return { stage: 'summary', arrays: read.arrays, classes: head.classes && new Map(head.classes) }
}
