/**
 * Hugging Face's `preprocessor_config.json`, of image processors and of the older feature extractors. Invariant:
 * either the file is understood as transformers understands it, or the field that is not is named in an error;
 * a network fed wrongly would only be quietly worse. Source: transformers, image_processing_*.py (defaults of the
 * classes, `get_size_dict`).
 */
import { z } from 'zod'
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import type { ImagePreprocess, ResampleFilter } from '../images/preprocess.ts'
import { type ProcessorDefaults, processorDefaults } from './image-processors.ts'

const side = z.int().min(1).max(limits.imageSideMax)
const flag = z.boolean().nullish()
const numbers = z.union([z.number(), z.array(z.number()).min(1).max(3)]).nullish()
const sizeSchema = z.union([
  side,
  z.strictObject({ height: side, width: side }),
  z.strictObject({ shortest_edge: side }),
  z.tuple([side, side]),
])

const schema = z.looseObject({
  do_resize: flag,
  size: sizeSchema.nullish(),
  resample: z.int().min(0).max(5).nullish(),
  do_center_crop: flag,
  crop_size: z.union([side, z.strictObject({ height: side, width: side })]).nullish(),
  crop_pct: z.number().min(0.1).max(1).nullish(),
  do_rescale: flag,
  rescale_factor: z.number().min(1e-9).max(1e9).nullish(),
  do_normalize: flag,
  image_mean: numbers,
  image_std: numbers,
  rescale_offset: flag,
  include_top: flag,
  do_flip_channel_order: flag,
  image_processor_type: z.string().nullish(),
  feature_extractor_type: z.string().nullish(),
})
type Config = z.infer<typeof schema>

/** Steps that change pixels and that we do not have: better refused than left out. */
const unsupported = [
  ...['do_pad', 'do_thumbnail', 'do_align_long_axis', 'do_color_quantize', 'do_crop_margin', 'do_image_splitting'],
  ...['do_grayscale', 'do_affine_transform', 'do_pan_and_scan', 'crop_to_patches', 'keep_aspect_ratio'],
]

/** Fields that change no pixel of an image that is classified. */
const harmless = new Set([
  ...['_valid_processor_keys', 'auto_map', 'data_format', 'default_to_square', 'device', 'disable_grouping'],
  ...['do_convert_rgb', 'do_reduce_labels', 'reduce_labels', 'input_data_format', 'model_input_names', 'name_or_path'],
  ...['processor_class', 'return_tensors', 'transformers_version', 'type', 'image_seq_length', 'tokenizer_class'],
  ...['segmentation_maps', 'ignore_index', 'size_divisor', 'pad_size', 'ensure_multiple_of', 'crop_pct'],
])
/** Of these only a value that does nothing is harmless. */
const idle: Record<string, readonly unknown[]> = {
  size_divisor: [null, 1],
  pad_size: [null],
  ensure_multiple_of: [null, 1],
}

/** Without a class and a filter, most classes mean bilinear (2). */
const bilinear: ResampleFilter = 2

/**
 * What the parsed file says, as the steps that we have. What it leaves out is the default of its class, or of the kind of network.
 * @param file for errors
 * @param modelType `model_type` of the config.json beside it
 * @throws PeerError kind `model`
 */
export function readPreprocess(json: unknown, file: string, modelType?: string): Omit<ImagePreprocess, 'channels'> {
  const parsed = schema.safeParse(json)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const field = issue.path.map(String).join('.') || 'the whole'
    throw configError(file, field, `is not understood (${issue.message.split('\n')[0]})`)
  }
  const config = parsed.data
  for (const field of unsupported) {
    if (config[field] === true) throw configError(file, field, 'is a step that is not supported')
  }
  for (const [field, value] of Object.entries(config)) {
    if (Object.hasOwn(schema.shape, field) || value === false || value === null) continue
    const still = Object.hasOwn(idle, field) ? idle[field].includes(value) : harmless.has(field) || field in noSteps
    if (!still) throw configError(file, field, 'may change pixels in a way that this version does not know')
  }
  const className = config.image_processor_type ?? config.feature_extractor_type ?? undefined
  const defaults = processorDefaults(className, modelType)
  if (defaults === 'unknown') checkStated(config, className ?? '', file)
  const whole = filledIn(config, typeof defaults === 'object' ? defaults : undefined)
  return {
    ...resizeAndCrop(whole, typeof defaults === 'object' ? defaults.name : '', file),
    rescaleFactor: whole.do_rescale === false ? 1 : (whole.rescale_factor ?? 1 / 255),
    ...normalisation(whole, file),
    ...(whole.do_flip_channel_order ? { flipChannels: true as const } : {}),
  }
}

/** Steps that are refused when they are on. */
const noSteps = Object.fromEntries(unsupported.map(name => [name, true]))

/** What a class that is not in the table means by a field that is left out, nobody here knows. */
function checkStated(config: Config, className: string, file: string): void {
  const size = config.do_resize !== false
  const normal = config.do_normalize !== false
  const needed = [...(size ? ['size', 'resample'] : []), ...(normal ? ['image_mean', 'image_std'] : [])]
  const lacking = needed.find(field => config[field] === undefined || config[field] === null)
  if (lacking !== undefined)
    throw configError(file, lacking, `is missing, and what ${className} takes then is not known here`)
}

/** The file with its class's defaults where it says nothing. */
function filledIn(config: Config, defaults: ProcessorDefaults | undefined): Config {
  if (!defaults) return config
  const { size, crop, mean, std } = defaults
  const sized = typeof size === 'number' ? { shortest_edge: size } : { height: size[0], width: size[1] }
  return {
    ...config,
    do_resize: config.do_resize ?? true,
    size: config.size ?? sized,
    resample: config.resample ?? defaults.resample,
    do_center_crop: config.do_center_crop ?? defaults.centerCrop,
    crop_size: config.crop_size ?? (crop && { height: crop[0], width: crop[1] }),
    crop_pct: config.crop_pct ?? defaults.cropPct,
    do_normalize: config.do_normalize ?? defaults.normalize,
    image_mean: config.image_mean ?? [...mean],
    image_std: config.image_std ?? [...std],
    include_top: config.include_top ?? defaults.includeTop ?? false,
    do_flip_channel_order: config.do_flip_channel_order ?? defaults.flip ?? false,
    cropFirst: defaults.cropFirst ?? false,
    numberIsShortestEdge: defaults.numberIsShortestEdge,
  }
}

type Cut = Pick<ImagePreprocess, 'resize' | 'centerCrop' | 'cropBefore'>

function resizeAndCrop(config: Config, className: string, file: string): Cut {
  const out: Cut = {}
  const filter = filterOf(config)
  const { size } = config
  if (config.do_resize !== false && size !== undefined && size !== null) {
    out.resize = { ...targetSize(size, config.numberIsShortestEdge === true), filter }
  } else if (config.do_resize) throw configError(file, 'size', 'is missing, and do_resize is true')

  const crop = config.crop_size
  if (config.do_center_crop !== false && crop !== undefined && crop !== null) {
    out.centerCrop = typeof crop === 'number' ? { height: crop, width: crop } : crop
  } else if (config.do_center_crop) {
    // Feature extractors of before crop_size meant the size itself.
    if (!out.resize || !('height' in out.resize))
      throw configError(file, 'crop_size', 'is missing, and do_center_crop is true')
    out.centerCrop = { height: out.resize.height, width: out.resize.width }
  }
  if (config.cropFirst === true && out.centerCrop && out.resize && 'height' in out.resize) {
    // PerceiverImageProcessor.center_crop: the share of the crop that the size is, of the shorter side.
    const { height, width } = out.resize
    const cropBefore = { height: height / out.centerCrop.height, width: width / out.centerCrop.width }
    return { resize: out.resize, cropBefore }
  }
  return classRules(config, className, out)
}

/** Three families resize to something else than they say. */
function classRules(config: Config, className: string, stated: Cut): Cut {
  const { resize } = stated
  const pct = config.crop_pct
  if (className.startsWith('PoolFormer') && resize && pct) {
    // PoolFormerImageProcessor.resize: enlarged by crop_pct, then the crop.
    if ('shortestEdge' in resize) {
      return { ...stated, resize: { shortestEdge: Math.trunc(resize.shortestEdge / pct), filter: resize.filter } }
    }
    const { height, width, filter } = resize
    const larger = Math.trunc(height / pct)
    if (height === width) return { ...stated, resize: { shortestEdge: larger, filter } }
    return { ...stated, resize: { height: larger, width: Math.trunc(width / pct), filter } }
  }
  if (!resize || !('shortestEdge' in resize)) return stated
  const { shortestEdge, filter } = resize
  if (className.startsWith('Levit')) {
    return { ...stated, resize: { shortestEdge: Math.trunc((256 / 224) * shortestEdge), filter } }
  }
  if (!pct) return stated
  // ConvNextImageProcessor.resize: below 384 a crop_pct of the enlarged image, from there on warped to a square.
  const square = { height: shortestEdge, width: shortestEdge }
  if (shortestEdge >= 384) return { resize: { ...square, filter } }
  return { resize: { shortestEdge: Math.trunc(shortestEdge / pct), filter }, centerCrop: square }
}

function targetSize(
  size: NonNullable<Config['size']>,
  numberIsShortestEdge: boolean,
): { height: number; width: number } | { shortestEdge: number } {
  if (typeof size === 'number') return numberIsShortestEdge ? { shortestEdge: size } : { height: size, width: size }
  if (Array.isArray(size)) return { height: size[0], width: size[1] }
  return 'shortest_edge' in size ? { shortestEdge: size.shortest_edge } : size
}

function filterOf(config: Config): ResampleFilter {
  const known: readonly ResampleFilter[] = [0, 1, 2, 3, 4, 5]
  return known.find(filter => filter === config.resample) ?? bilinear
}

/** As one subtraction and one division: an offset joins the mean, a second division the std (EfficientNet). */
function normalisation(config: Config, file: string): Pick<ImagePreprocess, 'normalize'> {
  const { image_mean: mean, image_std: std } = config
  const stated = mean !== undefined && mean !== null && std !== undefined && std !== null
  const on = config.do_normalize !== false && (stated || config.do_normalize === true)
  const offset = config.do_rescale !== false && config.rescale_offset === true ? 1 : 0
  if (!on && !config.include_top) return offset === 0 ? {} : { normalize: { mean: [offset], std: [1] } }
  if (!stated)
    throw configError(
      file,
      mean === undefined || mean === null ? 'image_mean' : 'image_std',
      'is missing, and do_normalize is true',
    )
  const list = (value: number | number[]) => (typeof value === 'number' ? [value] : value)
  if (list(std).includes(0)) throw configError(file, 'image_std', 'contains 0')
  if (list(mean).length !== list(std).length)
    throw configError(file, 'image_std', 'has not as many values as image_mean')
  const divisions = (on ? 1 : 0) + (config.include_top ? 1 : 0)
  return {
    normalize: {
      mean: list(mean).map(value => (on ? value : 0) + offset),
      std: list(std).map(value => value ** divisions),
    },
  }
}

function configError(file: string, field: string, what: string): PeerError {
  return new PeerError({
    code: 'MODEL_PREPROCESS',
    kind: 'model',
    message: `${file}: ${field} ${what}; correct the file`,
    details: { file, field },
  })
}
