/**
 * From what the user names to a job's spec: reads the networks, finds out what they take and give, aligns
 * their labels by name, and puts their files into blocks. Everything that can be wrong with them is told here,
 * before any work starts.
 */
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { PeerError } from '../../../base/errors.ts'
import { loadModel, type Model, planModel } from '../../../compute/engine/model.ts'
import type { Program } from '../../../compute/engine/program.ts'
import { externalFolder } from '../../../compute/onnx/external-data.ts'
import { inlineExternal } from '../../../compute/onnx/inline-external.ts'
import type { ModelPort } from '../../../compute/onnx/model.ts'
import { scaleAndBias } from '../../../data/images/apply.ts'
import type { ImagePreprocess } from '../../../data/images/preprocess.ts'
import { type ModelSource, readLabels, readModelFolder } from '../../../data/models/model-folder.ts'
import { writeBlocks } from '../../../data/store/block-list.ts'
import type { BlockStore } from '../../../data/store/types.ts'
import { imagePlan } from './network.ts'
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
    const file = await readFile(source.onnxPath)
    const bytes = named(source, () => inlineExternal(file, externalFolder(dirname(source.onnxPath))))
    const model = named(source, () => loadModel(bytes))
    const image = imageInput(source, model, notes)
    // Everything that can be wrong inside the graph shows when it is planned, and the outputs' shapes are known then.
    const { program } = named(source, () =>
      planModel(model, { ...imagePlan(model, image), batch: model.fixedBatch ?? 1 }),
    )
    const output = classifierOutput(source, program)
    const own = source.labels ?? extra ?? numbered(source, output.classes, notes)
    checkLabels(source, own, output.classes, source.labels ? 'config.json' : init.labels)
    labels ??= own
    models.push({
      name: unique(source.name, models),
      file: await writeBlocks(store, bytes),
      ...image,
      output: output.name,
      score: init.scores ?? (model.endsInProbability ? 'none' : 'softmax'),
      weight: init.weights?.[m] ?? 1,
      classes: align(source, own, labels, models[0]?.name),
    })
  }
  if (!labels) throw wrong('MODEL_MISSING', 'name at least one network with --model')
  const top = Math.min(init.top, labels.length)
  return { spec: parseClassifySpec({ models, labels, merge: init.merge, top }), notes }
}

function wrong(code: string, message: string): PeerError {
  return new PeerError({ code, kind: 'model', message })
}

/** What goes wrong inside a file is said with the file's name. */
function named<T>(source: ModelSource, run: () => T): T {
  try {
    return run()
  } catch (thrown) {
    if (!(thrown instanceof PeerError)) throw thrown
    throw new PeerError({ ...thrown.toJSON(), message: `${source.onnxPath}: ${thrown.message}`, cause: thrown })
  }
}

function unique(name: string, models: readonly ClassifyModel[]): string {
  const taken = new Set(models.map(model => model.name))
  for (let n = 2, candidate = name; ; candidate = `${name}-${n++}`) if (!taken.has(candidate)) return candidate
}

/** The one output with a value a class: [N, classes], with or without trailing ones. */
function classifierOutput(source: ModelSource, program: Program): { name: string; classes: number } {
  for (const { name, dims } of program.outputs) {
    const rest = dims.slice(1).filter((dim, axis) => axis === 0 || dim !== 1)
    if (dims.length >= 2 && rest.length === 1) return { name, classes: rest[0] }
  }
  const got = program.outputs.map(port => `${port.name} [${port.dims.join(', ')}]`).join(', ')
  throw wrong(
    'MODEL_NOT_CLASSIFIER',
    `${source.onnxPath} is not a classifier: its outputs are ${got}; expected [N, classes]`,
  )
}

const portText = (port: ModelPort): string => `${port.name} ${port.dtype}[${port.dims?.join(', ') ?? '?'}]`

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

/** The network's image input, and what brings an image to it. */
function imageInput(source: ModelSource, model: Model, notes: string[]): Pick<ClassifyModel, 'input' | 'preprocess'> {
  const [port, ...others] = model.inputs
  const dims = port?.dims
  const isImage = others.length === 0 && port?.dtype === 'float32' && dims?.length === 4
  const nchw = isImage && (dims[1] === 3 || dims[1] === 1)
  const nhwc = isImage && !nchw && (dims[3] === 3 || dims[3] === 1)
  if (!isImage || (!nchw && !nhwc)) {
    const got = model.inputs.map(portText).join(', ') || 'none'
    throw wrong(
      'MODEL_NOT_IMAGE',
      `${source.onnxPath} does not take an image: its inputs are ${got}; expected one float32 [N, 3, H, W] or [N, H, W, 3]`,
    )
  }
  const channels = (nchw ? dims[1] : dims[3]) as 1 | 3
  const [h, w] = nchw ? [dims[2], dims[3]] : [dims[1], dims[2]]
  const preprocess = stated(source, h, w, channels, notes)
  const size = sizeOf(preprocess)
  const height = typeof h === 'number' ? h : size?.height
  const width = typeof w === 'number' ? w : size?.width
  if (height === undefined || width === undefined) {
    throw wrong(
      'MODEL_INPUT_SIZE',
      `${source.onnxPath} takes images of any size, and no preprocessor_config.json says which: add one with "size"`,
    )
  }
  if (size && (size.height !== height || size.width !== width)) {
    throw wrong(
      'MODEL_PREPROCESS',
      `${source.name}: preprocessor_config.json makes images of ${size.height} x ${size.width}, the network takes ${height} x ${width}`,
    )
  }
  named(source, () => scaleAndBias(preprocess))
  return { input: { name: port.name, height, width, layout: nchw ? 'nchw' : 'nhwc' }, preprocess }
}

function stated(
  source: ModelSource,
  h: number | string,
  w: number | string,
  channels: 1 | 3,
  notes: string[],
): ImagePreprocess {
  const fit = typeof h === 'number' && typeof w === 'number' ? { height: h, width: w, filter: 2 as const } : undefined
  if (!source.preprocess) {
    notes.push(
      `${source.name} has no preprocessor_config.json: images are resized${fit ? ` to ${h} x ${w}` : ''} (bilinear) and scaled to 0..1, not normalised`,
    )
    return { resize: fit, rescaleFactor: 1 / 255, channels }
  }
  // A config that leaves the size open, or keeps the aspect ratio without a crop, is made to fit the network.
  const resize = source.preprocess.resize
  const free = !source.preprocess.centerCrop && (!resize || !('height' in resize))
  if (free && fit) return { ...source.preprocess, resize: { ...fit, filter: resize?.filter ?? 2 }, channels }
  return { ...source.preprocess, channels }
}

function sizeOf(preprocess: ImagePreprocess): { height: number; width: number } | undefined {
  if (preprocess.centerCrop) return preprocess.centerCrop
  const { resize } = preprocess
  return resize && 'height' in resize ? resize : undefined
}
