/**
 * A network as the user names it: an `.onnx` file, or a folder laid out as Hugging Face exports are. Invariant: what
 * is returned was found in the files and is well formed; what the files leave open (the input's size, a missing
 * preprocessing) is absent here and decided by whoever reads the network itself.
 */
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { z } from 'zod'
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { kindAt, kindProblem, readNamedText } from '../../base/named-file.ts'
import { type ImagePreprocess, imagePreprocessSchema } from '../images/preprocess.ts'
import { readPreprocess } from './preprocessor-config.ts'

/** What a folder's preprocessor_config.json says; `channels` is the network's to say. */
export type StatedPreprocess = Omit<ImagePreprocess, 'channels'>

export interface ModelSource {
  /** For columns and progress: the folder's name, or the file's without its extension. */
  name: string
  /** Absolute path of the ONNX file. */
  onnxPath: string
  onnxBytes: number
  /** What config.json says that the outputs are. */
  problemType?: ProblemType
  /** By output index; absent when there is no config.json or it has no id2label. */
  labels?: string[]
  /** Absent when there is no preprocessor_config.json. */
  preprocess?: StatedPreprocess
  /** Absolute paths of everything that was read, the ONNX file first. */
  files: string[]
}

/** `problem_type` of config.json, as transformers has it. */
const problemTypes = ['regression', 'single_label_classification', 'multi_label_classification'] as const
export type ProblemType = (typeof problemTypes)[number]

/** Of a JSON or label file. ImageNet-21k's config.json has 2 MB. */
const textBytesMax = 32 * 1024 * 1024

/**
 * Finds the network at `path` and reads what lies beside it; the ONNX file itself is not opened. An `.onnx` file is
 * taken alone (but for the card that a training wrote beside it), a folder with `model.onnx`, `onnx/model.onnx` or its only `.onnx` file. Throws PeerError of kind
 * `model` that names the file, and the field where one is wrong.
 */
export async function readModelFolder(path: string): Promise<ModelSource> {
  const full = resolve(path)
  const kind = await kindOf(full)
  if (!kind) throw modelError('MODEL_MISSING', `${path} does not exist: name an .onnx file or a folder with model.onnx`)
  if (kind === 'file') {
    const card = full.replace(/\.onnx$/i, '.card.json')
    const told = card === full ? undefined : await readIfThere(card, text => cardOf(parseJson(card, text), card))
    const files = told ? [full, card] : [full]
    return { name: modelName(full), onnxPath: full, onnxBytes: await onnxBytes(full), files, ...told }
  }
  const onnxPath = await findOnnx(full, path)
  const source: ModelSource = {
    name: modelName(onnxPath, full),
    onnxPath,
    onnxBytes: await onnxBytes(onnxPath),
    files: [onnxPath],
  }
  const config = join(full, 'config.json')
  const labels = await readIfThere(config, text => labelsOf(parseJson(config, text), config))
  if (labels) source.labels = labels
  const problemType = await readIfThere(config, text => problemTypeOf(parseJson(config, text), config))
  if (problemType) source.problemType = problemType
  const preprocessor = join(full, 'preprocessor_config.json')
  const modelType = await readIfThere(config, text => modelTypeOf(parseJson(config, text)))
  const preprocess = await readIfThere(preprocessor, text =>
    readPreprocess(parseJson(preprocessor, text), preprocessor, modelType),
  )
  if (preprocess) source.preprocess = preprocess
  for (const file of [config, preprocessor]) if ((await kindOf(file)) === 'file') source.files.push(file)
  return source
}

/**
 * Labels from a text file, one a line, in the order of the network's outputs; empty lines at the end do not count.
 * Throws PeerError of kind `input`.
 */
export async function readLabels(file: string): Promise<string[]> {
  const lines = (await readText(file)).replace(/^\uFEFF/, '').split(/\r\n|\n|\r/)
  while (lines.length > 0 && lines[lines.length - 1].trim() === '') lines.pop()
  const labels = lines.map(line => line.trim())
  const empty = labels.indexOf('')
  const wrong =
    labels.length === 0
      ? 'has no labels'
      : empty >= 0
        ? `has an empty line ${empty + 1}`
        : labels.length > limits.labelsMax
          ? `has ${labels.length} labels, at most ${limits.labelsMax} are taken`
          : undefined
  if (wrong)
    throw new PeerError({ code: 'LABELS_INVALID', kind: 'input', message: `${file} ${wrong}: write one label a line` })
  return labels
}

/** @throws PeerError MODEL_UNREADABLE, MODEL_KIND */
async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  const kind = await kindAt(path).catch((thrown: PeerError) => {
    throw modelError('MODEL_UNREADABLE', thrown.message, thrown)
  })
  if (kind === undefined || kind === 'file' || kind === 'folder') return kind
  throw modelError('MODEL_KIND', `${path} ${kindProblem(kind)}`)
}

async function findOnnx(folder: string, shown: string): Promise<string> {
  const places = [folder, join(folder, 'onnx')]
  for (const place of places) {
    const file = join(place, 'model.onnx')
    if ((await kindOf(file)) === 'file') return file
  }
  for (const place of places) {
    if ((await kindOf(place)) !== 'folder') continue
    const found = (await readdir(place)).filter(name => extname(name) === '.onnx').sort()
    if (found.length === 1) return join(place, found[0])
    if (found.length > 1) {
      throw modelError(
        'MODEL_AMBIGUOUS',
        `${shown} has several networks (${found.slice(0, 4).join(', ')}): name one of the files`,
      )
    }
  }
  throw modelError(
    'MODEL_MISSING',
    `${shown} has no model.onnx and no onnx/model.onnx: export the network to ONNX first`,
  )
}

/** `model.onnx` says nothing, so such a file is called after its folder. */
function modelName(onnxPath: string, folder?: string): string {
  if (folder) return basename(folder)
  const name = basename(onnxPath, extname(onnxPath))
  if (name !== 'model') return name
  const parent = dirname(onnxPath)
  return basename(basename(parent) === 'onnx' ? dirname(parent) : parent) || name
}

async function onnxBytes(file: string): Promise<number> {
  const { size } = await stat(file)
  if (size === 0) throw modelError('MODEL_EMPTY', `${file} is empty: export or download it again`)
  if (size > limits.modelBytesMax) {
    throw modelError('MODEL_TOO_LARGE', `${file} has ${size} bytes, at most ${limits.modelBytesMax} are taken`)
  }
  return size
}

const readText = (file: string) => readNamedText(file, { bytesMax: textBytesMax })

async function readIfThere<T>(file: string, parse: (text: string) => T): Promise<T | undefined> {
  return (await kindOf(file)) === 'file' ? parse(await readText(file)) : undefined
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (thrown) {
    throw modelError('MODEL_CONFIG', `${file} is not JSON: download or export it again`, thrown)
  }
}

const side = z.int().min(1).max(limits.imageSideMax)
const cardSchema = z.object({
  data: z.object({ classes: z.array(z.string()).max(limits.labelsMax).optional() }),
  /** Of a model of images: what it takes of them. */
  features: z.object({ height: side, width: side, preprocess: imagePreprocessSchema.optional() }).optional(),
})

/** What the card says that a training wrote beside its model. */
function cardOf(card: unknown, file: string): Pick<ModelSource, 'labels' | 'preprocess'> {
  const parsed = cardSchema.safeParse(card)
  if (!parsed.success) {
    const advice = 'train the model again, or move the file away'
    throw modelError('MODEL_CONFIG', `${file} is no model card: ${advice}`, parsed.error)
  }
  const { data, features } = parsed.data
  return {
    ...(data.classes && { labels: data.classes }),
    ...(features && { preprocess: features.preprocess ?? resized(features.height, features.width) }),
  }
}

function resized(height: number, width: number): StatedPreprocess {
  const bilinear = 2 as const
  return { resize: { height, width, filter: bilinear }, rescaleFactor: 1 / 255 }
}

const configSchema = z.object({ id2label: z.record(z.string(), z.string()).nullish() })

const problemSchema = z.object({ problem_type: z.enum(problemTypes).nullish() })

function problemTypeOf(config: unknown, file: string): ProblemType | undefined {
  const parsed = problemSchema.safeParse(config)
  if (parsed.success) return parsed.data.problem_type ?? undefined
  throw modelError('MODEL_CONFIG', `${file}: problem_type must be one of ${problemTypes.join(', ')}`, parsed.error)
}

/** `model_type` of a config.json, where it has one. */
function modelTypeOf(json: unknown): string | undefined {
  const type = typeof json === 'object' && json !== null && 'model_type' in json ? json.model_type : undefined
  return typeof type === 'string' ? type : undefined
}

/** The labels of a config.json, whose keys must be 0, 1, 2 … */
function labelsOf(config: unknown, file: string): string[] | undefined {
  const parsed = configSchema.safeParse(config)
  if (!parsed.success) throw modelError('MODEL_CONFIG', `${file}: id2label must map numbers to names`, parsed.error)
  const entries = Object.entries(parsed.data.id2label ?? {})
  if (entries.length === 0) return undefined
  if (entries.length > limits.labelsMax) {
    throw modelError(
      'MODEL_CONFIG',
      `${file}: id2label has ${entries.length} labels, at most ${limits.labelsMax} are taken`,
    )
  }
  const byIndex = new Map(entries.map(([key, label]) => [Number(key), label]))
  return entries.map((_, index) => {
    const label = byIndex.get(index)
    if (label === undefined) {
      throw modelError(
        'MODEL_CONFIG',
        `${file}: id2label has ${entries.length} labels but none for ${index}: number them from 0`,
      )
    }
    return label
  })
}

function modelError(code: string, message: string, cause?: unknown): PeerError {
  return new PeerError({ code, kind: 'model', message, cause })
}
