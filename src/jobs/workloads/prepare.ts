/**
 * From what a user asks for to a job: its spec's body, the blocks of its models, and how its inputs are cut. Everything that
 * can be wrong is told here, before any work starts. What one kind of job needs is loaded with the first of its kind.
 */
import { resolve } from 'node:path'
import { z } from 'zod'
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import type { BlockList, BlockStore } from '../../data/store/types.ts'
import type { TableInit, TableOptions } from '../../data/tables/options.ts'
import { parseTableOptions } from '../../data/tables/read.ts'
import { parseImageFeatures } from '../../learn/features/features.ts'
import { badOption, checkEffect, parseTrainOptions, type TrainOptions } from '../../learn/options.ts'
import { itemsPerShard } from './classify/spec.ts'
import { embedItemsPerShard } from './embed/spec.ts'
import { firstCells, firstColumns, type InputSource } from './inputs.ts'
import type { JobRequest } from './requests.ts'
import { scoreColumns } from './score/spec.ts'
import { parseTrainSpec, type TrainSpec } from './train/spec.ts'

export interface PreparedJob {
  /** What computes it. */
  workload: string
  body: unknown
  /** The models' files. */
  files: readonly BlockList[]
  /** For people: models, and how many classes or columns each gives. */
  models: { name: string; labels: number }[]
  source: InputSource
  /** What had to be guessed. */
  notes: string[]
  /** Where a training's state goes after each round. */
  checkpoint?: string
}

type Of<W extends JobRequest['workload']> = Extract<JobRequest, { workload: W }>
type Store = Pick<BlockStore, 'put'>

/** Throws PeerError of kind `model` or `input`, one line that names what is wrong. */
export function prepareJob(request: JobRequest, store: Store): Promise<PreparedJob> {
  switch (request.workload) {
    case 'classify':
      return classifyJob(request, store)
    case 'embed':
    case 'features':
      return embedJob(request, store)
    case 'probe':
      return probeJob(request)
    case 'score':
      return scoreJob(request, store)
    case 'train':
      return trainJob(request, store)
  }
}

function images(most: number, wanted: number | undefined): InputSource {
  return { kind: 'images', itemsPerShard: Math.min(most, wanted ?? most) }
}

async function classifyJob(request: Of<'classify'>, store: Store): Promise<PreparedJob> {
  const { prepareClassify } = await import('./classify/prepare.ts')
  const { spec, notes } = await prepareClassify(request, store)
  return {
    workload: 'classify',
    body: spec,
    files: spec.models.map(model => model.file),
    models: spec.models.map(model => ({ name: model.name, labels: model.classes.length })),
    source: images(itemsPerShard(spec.models.length, spec.labels.length), request.itemsPerShard),
    notes,
  }
}

async function embedJob(request: Of<'embed'> | Of<'features'>, store: Store): Promise<PreparedJob> {
  const { prepareEmbed, prepareFeatures } = await import('./embed/prepare.ts')
  const { spec, notes } =
    request.workload === 'embed'
      ? await prepareEmbed(request, store)
      : await prepareFeatures(parseImageFeatures(request.features), store)
  return {
    workload: request.workload,
    body: spec,
    files: [spec.file],
    models: [{ name: spec.name, labels: spec.width }],
    source: images(embedItemsPerShard(spec), request.itemsPerShard),
    notes,
  }
}

async function probeJob({ shards }: Of<'probe'>): Promise<PreparedJob> {
  const models = [{ name: 'nothing', labels: 1 }]
  return { workload: 'probe', body: { shards }, files: [], models, source: { kind: 'probe', shards }, notes: [] }
}

async function scoreJob(request: Of<'score'>, store: Store): Promise<PreparedJob> {
  const { inputs: names, cwd } = request
  const options = parseTableOptions(request.table ?? {})
  const { columns: named, cells } = await firstCells({ source: { kind: 'table', options }, names, cwd })
  const { prepareScore } = await import('./score/prepare.ts')
  const { spec, notes } = await prepareScore({ ...request, features: named, sample: cells }, store)
  const { features, texts } = spec
  // A shard's result is one block, and its features a few; its distinct texts are in one too.
  const columns = Math.max(scoreColumns(spec).length, features.length) + 16 * texts.length
  const most = Math.max(1, Math.min(limits.shardItemsMax, Math.floor(limits.blockBytes / (4 * columns))))
  const rowsPerShard = Math.min(most, options.rowsPerShard ?? most)
  return {
    workload: 'score',
    body: spec,
    files: spec.models.map(model => model.file),
    models: spec.models.map(({ name, outputs }) => ({
      name,
      labels: outputs.reduce((sum, output) => sum + output.columns.length, 0),
    })),
    source: { kind: 'table', options: { ...options, features, rowsPerShard, ...(texts.length > 0 && { texts }) } },
    notes,
  }
}

/** What learns from the label as a number, and what as a class; the others do not look at it. */
const labelKinds: Partial<Record<TrainOptions['method'], TableOptions['labelKind']>> = {
  linear: 'number',
  softmax: 'class',
  svm: 'class',
}

/**
 * The one place where a training's defaults and its table's become one: the same word for missing values, and the label as the
 * method needs it.
 * @throws PeerError LEARN_BAD_OPTIONS, TABLE_BAD_OPTIONS
 */
function trainOptions(wanted: Record<string, unknown>, table: TableInit = {}) {
  const missing = wanted.missing ?? table.missing
  if (table.missing !== undefined && table.missing !== missing) {
    throw badOption(
      'missing',
      `is ${JSON.stringify(missing)}, and ${JSON.stringify(table.missing)} in the table: give it once`,
    )
  }
  const given = parseTrainOptions({ ...wanted, ...(missing !== undefined && { missing }) })
  checkEffect(wanted, given)
  const needs = labelKinds[given.method]
  if (needs !== undefined && table.labelKind !== undefined && table.labelKind !== needs) {
    throw badOption('labelKind', `${given.method} learns from a label that is a ${needs}`)
  }
  const options = parseTableOptions({ ...(needs && { labelKind: needs }), ...table, missing: given.missing })
  return { given, options }
}

async function knownState(file: string, spec: TrainSpec) {
  const { readCheckpoint } = await import('./train/checkpoint.ts')
  return readCheckpoint(file, spec)
}

const networkImages = z.strictObject({
  kind: z.literal('network'),
  model: z.string().min(1),
  output: z.string().min(1).optional(),
})

/** The network that a model of images begins with, where it is one. @throws PeerError kind `model` or `input` */
async function frontOf(images: Record<string, unknown> | undefined, cwd: string, store: Store) {
  if (images?.kind !== 'network') return {}
  const parsed = networkImages.safeParse(images)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const message = `the images' option ${issue.path.join('.')}: ${issue.message}`
    throw new PeerError({ code: 'FEATURES_BAD_OPTIONS', kind: 'input', message })
  }
  const { model, output } = parsed.data
  const { prepareEmbed } = await import('./embed/prepare.ts')
  const { spec: network, notes } = await prepareEmbed({ cwd, model, output }, store)
  return { network, notes }
}

/** Columns that are told by name in one line. */
const namesMax = 8

/** Paths and other texts are no features unless they are named. */
async function withoutTexts(options: TableOptions, names: string[], cwd: string) {
  if (options.features) return { options, told: [] }
  const { columns, texts } = await firstCells({ source: { kind: 'table', options }, names, cwd })
  // Of texts alone there is nothing to learn from: the reader says which cell is no number.
  if (texts.length === 0 || texts.length === columns.length) return { options, told: [] }
  const { exclude: _, ...rest } = options
  const features = columns.filter(name => !texts.includes(name))
  const shown = texts.slice(0, namesMax).join(', ') + (texts.length > namesMax ? ', …' : '')
  const told = [`columns of texts are no features and are left out: ${shown} (--features names those to take)`]
  return { options: { ...rest, features }, told }
}

async function trainJob(request: Of<'train'>, store: Store): Promise<PreparedJob> {
  const { inputs: names, cwd, table, options: wanted, images } = request
  const { given, options: named } = trainOptions(wanted, table)
  const { options, told } = await withoutTexts(named, names, cwd)
  const columns = await firstColumns({ source: { kind: 'table', options }, names, cwd })
  const { network, notes = [] } = await frontOf(images, cwd, store)
  const front = network ? { network } : images ? { images } : {}
  if (request.holdout !== undefined && labelKinds[given.method] !== 'class')
    throw badOption('holdout', `has no effect with ${given.method}, only with softmax and svm: leave it out`)
  const spec = parseTrainSpec({ options: given, columns, holdout: request.holdout, ...front })
  const checkpoint = request.checkpoint === undefined ? undefined : resolve(cwd, request.checkpoint)
  const known = checkpoint === undefined ? undefined : await knownState(checkpoint, spec)
  return {
    workload: 'train',
    body: { ...spec, ...(known && { checkpoint: known.state }) },
    files: network ? [network.file] : [],
    models: [{ name: given.method, labels: columns.length }],
    source: { kind: 'table', options },
    notes: [
      ...notes,
      ...told,
      ...(known ? [`the training goes on after its round ${known.rounds}, as ${request.checkpoint} says`] : []),
    ],
    ...(checkpoint !== undefined && { checkpoint }),
  }
}
