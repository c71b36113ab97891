/**
 * From models and a table's columns to a scoring job's spec: which column goes where, what each model gives, and which of
 * it is merged. Everything that can be wrong with them is told here, before any work starts.
 */
import { dirname, resolve } from 'node:path'
import { PeerError } from '../../../base/errors.ts'
import { limits } from '../../../base/limits.ts'
import { readNamed } from '../../../base/named-file.ts'
import { createReferenceBackend } from '../../../compute/backends/reference/index.ts'
import type { Backend } from '../../../compute/backends/types.ts'
import { createWasmBackend } from '../../../compute/backends/wasm/backend.ts'
import { loadModel, type Model } from '../../../compute/engine/model.ts'
import { openSession } from '../../../compute/engine/session.ts'
import { externalFolder } from '../../../compute/onnx/external-data.ts'
import { inlineExternal } from '../../../compute/onnx/inline-external.ts'
import type { ModelPort } from '../../../compute/onnx/model.ts'
import { fromHost, isElementType } from '../../../compute/tensor/element-type.ts'
import { readModelFolder } from '../../../data/models/model-folder.ts'
import { writeBlocks } from '../../../data/store/block-list.ts'
import type { BlockStore } from '../../../data/store/types.ts'
import { parseScoreSpec, type ScoreMerge, type ScoreModel, type ScoreSpec } from './spec.ts'

export interface PrepareScoreInit {
  cwd: string
  models: readonly string[]
  /** Default: `none` for one model, `mean` for several that can be merged. */
  merge?: ScoreMerge
  weights?: readonly number[]
  /** Columns of the table that may be read, in its order. */
  features: readonly string[]
  /** What its first row holds in them, with which models that take texts are tried. Default: empty texts. */
  sample?: readonly string[]
}

export interface PreparedScore {
  spec: ScoreSpec
  /** What the user should know. */
  notes: string[]
}

/** An output whose elements are scores of classes, or the one value of a regression. */
interface Mergeable {
  output: number
  classes: string[]
}

/** Throws PeerError of kind `model` or `input`, one line that names the model. */
export async function prepareScore(init: PrepareScoreInit, store: Pick<BlockStore, 'put'>): Promise<PreparedScore> {
  if (init.weights && init.weights.length !== init.models.length) {
    const counts = `${init.weights.length} numbers for ${init.models.length} models`
    throw wrong('WEIGHTS', `--weights has ${counts}: give one a model`)
  }
  const models: NamedModel[] = []
  const mergeables: (Mergeable | undefined)[] = []
  const files = await Promise.all(init.models.map(path => readModel(resolve(init.cwd, path))))
  const table = columnsOf(files, init)
  for (const [m, { path, name: given, bytes, model }] of files.entries()) {
    const name = unique(given, models)
    const { inputs, outputs, mergeable } = await named(path, async () => {
      const inputs = model.inputs.map(port => inputOf(port, model, table))
      return { inputs, ...(await tried(model, inputs, table)) }
    })
    const prefix = init.models.length > 1 ? `${name}_` : ''
    const plain = model.outputs.length === 1 && init.models.length > 1
    models.push({
      name,
      file: await writeBlocks(store, bytes),
      inputs,
      outputs: outputs.map(output => ({
        name: output.name,
        columns: columnNames(output, plain ? name : `${prefix}${output.name}`),
      })),
      weight: init.weights?.[m] ?? 1,
    })
    mergeables.push(mergeable)
  }
  if (models.length === 0) throw wrong('MODEL_MISSING', 'name at least one model with --model')
  return merged(init, used(models, table), mergeables)
}

interface ModelFile {
  path: string
  name: string
  bytes: Uint8Array
  model: Model
}

async function readModel(folder: string): Promise<ModelFile> {
  const { onnxPath: path, name } = await readModelFolder(folder)
  const read = await readNamed(path, { bytesMax: limits.modelBytesMax })
  return named(path, async () => {
    const bytes = inlineExternal(read, externalFolder(dirname(path)))
    return { path, name, bytes, model: loadModel(bytes) }
  })
}

/** What the table has to give. */
interface Columns {
  /** Those that nobody takes for texts. */
  numbers: readonly string[]
  all: readonly string[]
  /** By column of `all`. */
  sample: readonly string[]
}

function columnsOf(files: readonly ModelFile[], { features: all, sample = [] }: PrepareScoreInit): Columns {
  const texts = new Set<string>()
  for (const { model } of files) {
    for (const { name, dtype } of model.inputs) {
      if (dtype !== 'string') continue
      // An input of its own is called as its column is; the only one takes all.
      if (model.inputs.length > 1 || all.includes(name)) texts.add(name)
      else for (const column of all) texts.add(column)
    }
  }
  return { all, numbers: all.filter(name => !texts.has(name)), sample: all.map((_, at) => sample[at] ?? '') }
}

/** An input with its columns by name, as they are while it is not known which of the table's all models need. */
interface NamedInput {
  name: string
  kind: 'number' | 'text'
  columns: string[]
}

interface NamedModel extends Omit<ScoreModel, 'inputs'> {
  inputs: NamedInput[]
}

/** The models with places in the columns that at least one of them takes: no others are read. */
function used(models: readonly NamedModel[], { all }: Columns) {
  const of = (kind: 'number' | 'text') => {
    const inputs = models.flatMap(model => model.inputs.filter(input => input.kind === kind))
    const wanted = new Set(inputs.flatMap(input => input.columns))
    return all.filter(name => wanted.has(name))
  }
  const [features, texts] = [of('number'), of('text')]
  const places = (input: NamedInput) => {
    const from = input.kind === 'text' ? texts : features
    return { ...input, columns: input.columns.map(name => from.indexOf(name)) }
  }
  return { features, texts, models: models.map(model => ({ ...model, inputs: model.inputs.map(places) })) }
}

function columnNames({ kind, elements }: Output, base: string): ScoreModel['outputs'][number]['columns'] {
  if (elements.length === 1) return [{ name: base, kind }]
  return elements.map(element => ({ name: `${base}_${element}`, kind }))
}

function merged(
  { merge: wanted }: PrepareScoreInit,
  { features, texts, models }: { features: string[]; texts: string[]; models: ScoreModel[] },
  mergeables: readonly (Mergeable | undefined)[],
): PreparedScore {
  const notes: string[] = []
  const whyNot = unmergeable(models, mergeables)
  if (wanted !== undefined && wanted !== 'none' && whyNot) throw wrong('MERGE', `--merge ${wanted}: ${whyNot}`)
  const merge = wanted ?? (models.length > 1 && !whyNot ? 'mean' : 'none')
  if (wanted === undefined && models.length > 1 && whyNot) notes.push(`the models are not merged: ${whyNot}`)
  const classes = merge === 'none' ? [] : (mergeables[0]?.classes ?? [])
  const complete = models.map((model, m) => {
    const mergeable = mergeables[m]
    if (merge === 'none' || !mergeable) return model
    const places = mergeable.classes.map(name => classes.indexOf(name))
    return { ...model, merged: { output: mergeable.output, classes: places } }
  })
  return { spec: parseScoreSpec({ models: complete, features, texts, merge, classes }), notes }
}

/** Why these models' decisions cannot be merged, if they cannot. */
function unmergeable(
  models: readonly ScoreModel[],
  mergeables: readonly (Mergeable | undefined)[],
): string | undefined {
  const first = mergeables[0]
  for (const [m, one] of mergeables.entries()) {
    if (!one) return `${models[m].name} gives no scores`
    if (new Set(one.classes).size < one.classes.length) return `two classes of ${models[m].name} have one name`
    const same = one.classes.length === first?.classes.length && one.classes.every(name => first.classes.includes(name))
    if (!same) return `${models[0].name} and ${models[m].name} do not give the same classes`
  }
  return undefined
}

/** The columns that an input takes: all of its kind, or the one that is called as it is. */
function inputOf(port: ModelPort, model: Model, { all, numbers }: Columns): NamedInput {
  const kind = port.dtype === 'string' ? 'text' : 'number'
  const features = kind === 'text' ? all : numbers
  const wanted = port.dims?.length === 1 ? 1 : port.dims?.[1]
  const own = all.includes(port.name)
  if (model.inputs.length > 1 || (own && wanted === 1)) {
    if (!own) {
      const asked = model.inputs.map(one => one.name).join(', ')
      throw wrong('MODEL_COLUMNS', `it takes the columns ${asked}, and the table has no "${port.name}"`)
    }
    return { name: port.name, kind, columns: [port.name] }
  }
  if (port.dims && port.dims.length > 2) {
    throw wrong('MODEL_COLUMNS', `its input "${port.name}" has ${port.dims.length} dims; rows of a table have 2`)
  }
  if (typeof wanted === 'number' && wanted !== features.length) {
    throw wrong(
      'MODEL_COLUMNS',
      `it takes ${wanted} features, and the table has ${features.length} (${features.slice(0, 5).join(', ')}${features.length > 5 ? '…' : ''}); --features names those that it takes`,
    )
  }
  return { name: port.name, kind, columns: [...features] }
}

interface Output {
  name: string
  kind: 'number' | 'text'
  /** What its elements of one row are called. */
  elements: string[]
}

/** Runs two rows of zeros and the sample's texts, which tells what the outputs are; what is wrong in the model shows here too. */
async function tried(
  model: Model,
  inputs: readonly NamedInput[],
  { all, sample }: Columns,
): Promise<{ outputs: Output[]; mergeable: Mergeable | undefined }> {
  if (model.fixedBatch !== undefined) {
    throw wrong('MODEL_BATCH', `it takes exactly ${model.fixedBatch} rows at a time: export it with any number of rows`)
  }
  const rows = 2
  const session = openSession(await trialBackend(), model)
  try {
    const given = inputs.map(({ name, kind, columns }) => {
      const port = model.inputs.find(one => one.name === name)
      const dims = port?.dims?.length === 1 ? [rows] : [rows, columns.length]
      if (kind === 'text') {
        const row = columns.map(column => sample[all.indexOf(column)])
        return [name, { type: 'string', dims, data: [...row, ...row] } as const] as const
      }
      const type = port && isElementType(port.dtype) ? port.dtype : undefined
      if (!type) {
        throw wrong('MODEL_COLUMNS', `its input "${name}" takes ${port?.dtype}, and tables hold numbers and texts`)
      }
      return [name, fromHost(type, dims, new Float32Array(rows * columns.length))] as const
    })
    const results = await session.run(Object.fromEntries(given))
    const outputs = model.outputs.map(({ name }): Output => {
      const { data, dims, strings, columns } = results[name]
      const width = data.length / rows
      if (dims[0] !== rows || !Number.isInteger(width) || width < 1)
        throw wrong('MODEL_OUTPUT', `its output "${name}" has the shape [${dims.join(', ')}] for ${rows} rows`)
      const elements = columns?.length === width ? [...columns] : Array.from({ length: width }, (_, i) => String(i))
      return { name, kind: strings ? 'text' : 'number', elements }
    })
    return { outputs, mergeable: scoresAmong(model, outputs) }
  } finally {
    session.dispose()
  }
}

let trial: Promise<Backend> | undefined

/** What models are tried on: the kernels that will run them, where this machine has them. Its memory is bounded. */
function trialBackend(): Promise<Backend> {
  trial ??= createWasmBackend().catch(thrown => {
    if (thrown instanceof PeerError && thrown.code.startsWith('WASM_')) return createReferenceBackend()
    throw thrown
  })
  return trial
}

/** Of several outputs the last that holds floats: classifiers give a label first and then their scores. */
function scoresAmong(model: Model, outputs: readonly Output[]): Mergeable | undefined {
  const output = outputs.findLastIndex(
    ({ kind }, o) => kind === 'number' && !['int64', 'int32', 'bool'].includes(model.outputs[o].dtype),
  )
  return output < 0 ? undefined : { output, classes: outputs[output].elements }
}

function unique(name: string, models: readonly NamedModel[]): string {
  const taken = new Set(models.map(model => model.name))
  for (let n = 2, candidate = name; ; candidate = `${name}-${n++}`) if (!taken.has(candidate)) return candidate
}

/** What goes wrong inside a file is said with the file's name. */
async function named<T>(file: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (thrown) {
    if (!(thrown instanceof PeerError)) throw thrown
    throw new PeerError({ ...thrown.toJSON(), message: `${file}: ${thrown.message}`, cause: thrown })
  }
}

function wrong(code: string, message: string): PeerError {
  return new PeerError({ code, kind: 'model', message })
}
