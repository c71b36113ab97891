/** How a network of images takes them: found in the network and in what lies beside it, or said to be missing. */
import { PeerError } from '../../base/errors.ts'
import type { Model } from '../../compute/engine/model.ts'
import type { ModelPort } from '../../compute/onnx/model.ts'
import { scaleAndBias } from '../../data/images/apply.ts'
import type { ImagePreprocess } from '../../data/images/preprocess.ts'
import type { ModelSource } from '../../data/models/model-folder.ts'

/** A network's input, and how an image becomes it. */
export interface ImageInput {
  input: { name: string; height: number; width: number; layout: 'nchw' | 'nhwc' }
  preprocess: ImagePreprocess
}

/**
 * The network's image input, and what brings an image to it.
 * @param notes gets what had to be guessed
 * @throws PeerError kind `model`, one line that names the file
 */
export function imageInput(source: ModelSource, model: Model, notes: string[]): ImageInput {
  const [port, ...others] = model.inputs
  const dims = port?.dims
  const isImage = others.length === 0 && imageTypes.includes(port?.dtype) && dims?.length === 4
  const layout = isImage ? layoutOf(dims) : undefined
  if (!isImage || !layout) {
    const got = model.inputs.map(portText).join(', ') || 'none'
    throw wrong(
      'MODEL_NOT_IMAGE',
      `${source.onnxPath} does not take an image: its inputs are ${got}; expected one [N, 3, H, W] or [N, H, W, 3] of float32, float16 or uint8`,
    )
  }
  const nchw = layout === 'nchw'
  const c = nchw ? dims[1] : dims[3]
  const [h, w] = nchw ? [dims[2], dims[3]] : [dims[1], dims[2]]
  // Hugging Face's exporters name every dimension, the channels too.
  const channels = c === 1 ? 1 : 3
  if (typeof c === 'string')
    notes.push(
      `${source.name} does not say how many channels it takes (${port.name} [${dims.join(', ')}]): 3 are taken`,
    )
  const bytes = port.dtype === 'uint8'
  const preprocess = stated(source, [h, w], channels, bytes, notes)
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
  return { input: { name: port.name, height, width, layout }, preprocess }
}

/** Where the channels are: 3 or 1 of them; else, where nothing but names is stated, where PyTorch has them. */
function layoutOf(dims: readonly (number | string)[]): 'nchw' | 'nhwc' | undefined {
  const isChannels = (dim: number | string) => dim === 3 || dim === 1
  if (isChannels(dims[1])) return 'nchw'
  if (isChannels(dims[3])) return 'nhwc'
  if (typeof dims[3] === 'string' && /chan/i.test(dims[3])) return 'nhwc'
  return typeof dims[1] === 'string' ? 'nchw' : undefined
}

/** Types of an image's input. */
const imageTypes: readonly (string | undefined)[] = ['float32', 'float16', 'uint8']

/** @param bytes the network takes bytes, and scales them itself */
function stated(
  source: ModelSource,
  [h, w]: readonly (number | string)[],
  channels: 1 | 3,
  bytes: boolean,
  notes: string[],
): ImagePreprocess {
  const fit = typeof h === 'number' && typeof w === 'number' ? { height: h, width: w, filter: 2 as const } : undefined
  if (!source.preprocess) {
    const scaled = bytes ? 'go in as bytes, for it takes uint8' : 'scaled to 0..1, not normalised'
    notes.push(
      `${source.name} has no preprocessor_config.json: images are resized${fit ? ` to ${h} x ${w}` : ''} (bilinear) and ${scaled}`,
    )
    return { resize: fit, rescaleFactor: bytes ? 1 : 1 / 255, channels }
  }
  if (bytes && (source.preprocess.rescaleFactor !== 1 || source.preprocess.normalize)) {
    throw wrong(
      'MODEL_PREPROCESS',
      `${source.name}: preprocessor_config.json scales or normalises images, but the network takes bytes (uint8): set do_rescale and do_normalize to false`,
    )
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

const portText = (port: ModelPort): string => `${port.name} ${port.dtype}[${port.dims?.join(', ') ?? '?'}]`

/** What is wrong with a model, for the one who named it. */
export function wrong(code: string, message: string): PeerError {
  return new PeerError({ code, kind: 'model', message })
}

/** What goes wrong inside a file is said with the file's name. */
export function named<T>(source: ModelSource, run: () => T): T {
  try {
    return run()
  } catch (thrown) {
    if (!(thrown instanceof PeerError)) throw thrown
    throw new PeerError({ ...thrown.toJSON(), message: `${source.onnxPath}: ${thrown.message}`, cause: thrown })
  }
}
