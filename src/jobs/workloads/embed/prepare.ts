/** From a network and the name of one of its values to an embedding job's spec. */
import { dirname, resolve } from 'node:path'
import { limits } from '../../../base/limits.ts'
import { readNamed } from '../../../base/named-file.ts'
import { loadModel, planModel } from '../../../compute/engine/model.ts'
import { externalFolder } from '../../../compute/onnx/external-data.ts'
import { inlineExternal } from '../../../compute/onnx/inline-external.ts'
import { elementsOf } from '../../../compute/tensor/shape.ts'
import { readModelFolder } from '../../../data/models/model-folder.ts'
import { writeBlocks } from '../../../data/store/block-list.ts'
import type { BlockStore } from '../../../data/store/types.ts'
import { exportFeatures, featureCount, type ImageFeatures } from '../../../learn/features/features.ts'
import { imageInput, named, wrong } from '../image-model.ts'
import { imagePlan } from '../image-network.ts'
import { type EmbedSpec, parseEmbedSpec } from './spec.ts'

export interface PrepareEmbedInit {
  cwd: string
  model: string
  /** Default: the network's first output. */
  output?: string
}

export interface PreparedEmbed {
  spec: EmbedSpec
  /** What had to be guessed. */
  notes: string[]
}

/** Throws PeerError of kind `model` or `input`, one line that names the network. */
export async function prepareEmbed(init: PrepareEmbedInit, store: Pick<BlockStore, 'put'>): Promise<PreparedEmbed> {
  const notes: string[] = []
  const source = await readModelFolder(resolve(init.cwd, init.model))
  const read = await readNamed(source.onnxPath, { bytesMax: limits.modelBytesMax })
  const bytes = named(source, () => inlineExternal(read, externalFolder(dirname(source.onnxPath))))
  const output = init.output ?? named(source, () => loadModel(bytes)).outputs[0].name
  const model = named(source, () => loadModel(bytes, { outputs: [output] }))
  const image = imageInput(source, model, notes)
  const batch = model.fixedBatch ?? 1
  const { program } = named(source, () => planModel(model, { ...imagePlan(model, image), batch }))
  const { dims } = program.outputs[0]
  const width = elementsOf(dims) / batch
  if (dims[0] !== batch || width > limits.tableColumnsMax) {
    throw wrong(
      'MODEL_OUTPUT',
      dims[0] === batch
        ? `${source.onnxPath}: "${output}" has ${width} values an image, at most ${limits.tableColumnsMax} are kept: name a smaller one with --output`
        : `${source.onnxPath}: "${output}" has the shape [${dims.join(', ')}], not a row an image: name another with --output`,
    )
  }
  const file = await writeBlocks(store, bytes)
  return { spec: parseEmbedSpec({ name: source.name, file, ...image, output, width }), notes }
}

/** The same for features that we write as a network ourselves: images are resized to what it takes. */
export async function prepareFeatures(options: ImageFeatures, store: Pick<BlockStore, 'put'>): Promise<PreparedEmbed> {
  const { height, width, channels } = options
  const file = await writeBlocks(store, exportFeatures(options))
  const spec = parseEmbedSpec({
    name: options.kind,
    file,
    input: { name: 'image', height, width, layout: 'nchw' },
    preprocess: { resize: { height, width, filter: bilinear }, rescaleFactor: 1 / 255, channels },
    output: 'features',
    width: featureCount(options),
  })
  return { spec, notes: [] }
}

/** Pillow's number for it. */
const bilinear = 2
