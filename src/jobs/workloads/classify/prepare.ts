/**
 * From what the user names to a job's spec: reads the networks, finds out what they take and give, aligns
 * their labels by name, and puts their files into blocks. Everything that can be wrong with them is told here,
 * before any work starts.
 */
import { dirname, resolve } from 'node:path'
import { limits } from '../../../base/limits.ts'
import { readNamed } from '../../../base/named-file.ts'
import { loadModel, type Model, planModel } from '../../../compute/engine/model.ts'
import type { Program } from '../../../compute/engine/program.ts'
import { externalFolder } from '../../../compute/onnx/external-data.ts'
import { inlineExternal } from '../../../compute/onnx/inline-external.ts'
import { type ModelSource, readLabels, readModelFolder } from '../../../data/models/model-folder.ts'
import { writeBlocks } from '../../../data/store/block-list.ts'
import type { BlockStore } from '../../../data/store/types.ts'
import { imageInput, named, wrong } from '../image-model.ts'
import { imagePlan } from '../image-network.ts'
import { type ClassifyModel, type ClassifySpec, type MergeKind, parseClassifySpec, type ScoreKind } from './spec.ts'

export interface PrepareInit {
  cwd: string
  models: readonly string[]
  merge: MergeKind
  weights?: readonly number[]
  top: number
  /** A file, one label a line. */
  labels?: string
  scores?: ScoreKind
}

export interface PreparedClassify {
  spec: ClassifySpec
  /** What had to be guessed. */
  notes: string[]
}

/** Throws PeerError of kind `model` or `input`, one line that names the network. */
export async function prepareClassify(init: PrepareInit, store: Pick<BlockStore, 'put'>): Promise<PreparedClassify> {
  if (init.weights && init.weights.length !== init.models.length) {
    throw wrong(
      'WEIGHTS',
      `--weights has ${init.weights.length} numbers for ${init.models.length} models: give one a model`,
    )
  }
  const notes: string[] = []
  const extra = init.labels === undefined ? undefined : await readLabels(resolve(init.cwd, init.labels))
  const models: ClassifyModel[] = []
  let labels: string[] | undefined
  for (const [m, path] of init.models.entries()) {
    const source = await readModelFolder(resolve(init.cwd, path))
    const file = await readNamed(source.onnxPath, { bytesMax: limits.modelBytesMax })
    const bytes = named(source, () => inlineExternal(file, externalFolder(dirname(source.onnxPath))))
    const model = named(source, () => loadModel(bytes))
    const image = imageInput(source, model, notes)
    // Everything that can be wrong inside the graph shows when it is planned, and the outputs' shapes are known then.
    const { program } = named(source, () =>
      planModel(model, { ...imagePlan(model, image), batch: model.fixedBatch ?? 1 }),
    )
    const known = source.labels ?? extra
    const output = classifierOutput(source, model, program, known?.length)
    // One value an image is the second of two classes, unless it is said to be the only one.
    const binary = output.classes === 1 && known?.length !== 1
    const own = known ?? numbered(source, binary ? 2 : output.classes, notes)
    checkLabels(source, own, binary ? 2 : output.classes, source.labels ? 'config.json' : init.labels)
    if (binary)
      notes.push(`${source.name} gives one value an image: it counts for "${own[1]}", the rest for "${own[0]}"`)
    labels ??= own
    models.push({
      name: unique(source.name, models),
      file: await writeBlocks(store, bytes),
      ...image,
      output: output.name,
      score: init.scores ?? scoreOf(source, bytes, output.name, output.classes),
      weight: init.weights?.[m] ?? 1,
      ...(binary && { binary: true as const }),
      classes: align(source, own, labels, models[0]?.name),
    })
  }
  if (!labels) throw wrong('MODEL_MISSING', 'name at least one network with --model')
  const top = Math.min(init.top, labels.length)
  return { spec: parseClassifySpec({ models, labels, merge: init.merge, top }), notes }
}

/** Whether the output that is taken, which need not be the first, is a probability already. */
function scoreOf(source: ModelSource, bytes: Uint8Array, output: string, classes: number): ScoreKind {
  const { endsInProbability } = named(source, () => loadModel(bytes, { outputs: [output] }))
  if (endsInProbability) return 'none'
  // transformers' pipelines do the same: several labels at once, or one, are judged each by itself.
  return source.problemType === 'multi_label_classification' || classes === 1 ? 'sigmoid' : 'softmax'
}

function unique(name: string, models: readonly ClassifyModel[]): string {
  const taken = new Set(models.map(model => model.name))
  for (let n = 2, candidate = name; ; candidate = `${name}-${n++}`) if (!taken.has(candidate)) return candidate
}

/** The output with a value a class, [N, classes] with or without further ones: the one that fits the labels, else the first. */
function classifierOutput(
  source: ModelSource,
  model: Model,
  program: Program,
  labels?: number,
): { name: string; classes: number } {
  const numbers = new Set(model.outputs.filter(port => /^b?float|^double/.test(port.dtype)).map(port => port.name))
  const candidates = program.outputs.flatMap(({ name, dims }) => {
    if (numbers.size > 0 && !numbers.has(name)) return [] // the number of the class, not a score
    const rest = dims.slice(1).filter(dim => dim !== 1)
    return dims.length >= 2 && rest.length <= 1 ? [{ name, classes: rest[0] ?? 1 }] : []
  })
  // Features may stand before the scores.
  const found = candidates.find(one => one.classes === labels) ?? candidates[0]
  if (found) return found
  const got = program.outputs.map(port => `${port.name} [${port.dims.join(', ')}]`).join(', ')
  throw wrong(
    'MODEL_NOT_CLASSIFIER',
    `${source.onnxPath} is not a classifier: its outputs are ${got}; expected [N, classes]`,
  )
}

function numbered(source: ModelSource, classes: number, notes: string[]): string[] {
  notes.push(`${source.name} has no labels (no id2label in a config.json): they are numbered; --labels names them`)
  return Array.from({ length: classes }, (_, i) => String(i))
}

function checkLabels(source: ModelSource, labels: readonly string[], classes: number, origin = 'the network'): void {
  if (labels.length === classes) return
  throw wrong(
    'LABELS_MISMATCH',
    `${source.name} gives ${classes} values an image, but ${origin} has ${labels.length} labels: they must match`,
  )
}

/** The place of each of a network's labels among the job's. */
function align(source: ModelSource, own: readonly string[], labels: readonly string[], first = source.name): number[] {
  if (own.every((label, i) => label === labels[i]) && own.length === labels.length) return own.map((_, i) => i)
  const places = new Map(labels.map((label, place) => [label, place]))
  if (places.size < labels.length || new Set(own).size < own.length) {
    throw wrong(
      'LABELS_AMBIGUOUS',
      `the labels of ${source.name} and ${first} differ in order, and some occur twice: they cannot be aligned by name`,
    )
  }
  const missing = own.find(label => !places.has(label)) ?? labels.find(label => !own.includes(label))
  if (missing !== undefined || own.length !== labels.length) {
    throw wrong(
      'LABELS_DIFFER',
      `${source.name} and ${first} do not have the same labels (${JSON.stringify(missing)} is in one only): an ensemble needs one set`,
    )
  }
  return own.map(label => places.get(label) as number)
}
