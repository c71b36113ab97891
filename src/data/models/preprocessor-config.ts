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
  image_processor_type: z.string().nullish(),
  feature_extractor_type: z.string().nullish(),
})
type Config = z.infer<typeof schema>

/** Steps that change pixels and that we do not have: better refused than left out. */
const unsupported = ['do_pad', 'do_flip_channel_order', 'rescale_offset', 'do_thumbnail', 'do_align_long_axis']

/** Classes for which a bare number is the shortest edge (`default_to_square=False`); for the others it is a square. */
const shortestEdgeClasses =
  /^(CLIP|ChineseCLIP|ConvNext|MobileNetV1|MobileNetV2|MobileViT|Levit|PoolFormer|Bit|EfficientFormer|Perceiver)(ImageProcessor|FeatureExtractor)/i

/** Pillow's numbers by name are not in these files; without one, most classes mean bilinear (2). */
const bilinear: ResampleFilter = 2

/** What the parsed file says, as the steps that we have. `file` is for errors. Throws PeerError of kind `model`. */
export function readPreprocess(json: unknown, file: string): Omit<ImagePreprocess, 'channels'> {
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
  return {
    ...resizeAndCrop(config, file),
    rescaleFactor: config.do_rescale === false ? 1 : (config.rescale_factor ?? 1 / 255),
    ...normalisation(config, file),
  }
}

function resizeAndCrop(config: Config, file: string): Pick<ImagePreprocess, 'resize' | 'centerCrop'> {
  const out: Pick<ImagePreprocess, 'resize' | 'centerCrop'> = {}
  const filter = filterOf(config)
  const className = config.image_processor_type ?? config.feature_extractor_type ?? ''
  const { size } = config
  if (config.do_resize !== false && size !== undefined && size !== null) {
    out.resize = { ...targetSize(size, shortestEdgeClasses.test(className)), filter }
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
  return classRules(config, className, out)
}

/** Two families resize to something else than they say. */
function classRules(
  config: Config,
  className: string,
  stated: Pick<ImagePreprocess, 'resize' | 'centerCrop'>,
): Pick<ImagePreprocess, 'resize' | 'centerCrop'> {
  const { resize } = stated
  if (!resize || !('shortestEdge' in resize)) return stated
  const { shortestEdge, filter } = resize
  if (className.startsWith('Levit')) {
    return { ...stated, resize: { shortestEdge: Math.trunc((256 / 224) * shortestEdge), filter } }
  }
  const isConvNext = className.startsWith('ConvNext')
  if (!isConvNext && !config.crop_pct) return stated
  // ConvNextImageProcessor.resize: below 384 a crop_pct of the enlarged image, from there on warped to a square.
  const square = { height: shortestEdge, width: shortestEdge }
  if (shortestEdge >= 384) return { resize: { ...square, filter } }
  const cropPct = config.crop_pct ?? 224 / 256
  return { resize: { shortestEdge: Math.trunc(shortestEdge / cropPct), filter }, centerCrop: square }
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

function normalisation(config: Config, file: string): Pick<ImagePreprocess, 'normalize'> {
  const { image_mean: mean, image_std: std } = config
  const stated = mean !== undefined && mean !== null && std !== undefined && std !== null
  if (config.do_normalize === false || (!stated && !config.do_normalize)) return {}
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
  return { normalize: { mean: list(mean), std: list(std) } }
}

function configError(file: string, field: string, what: string): PeerError {
  return new PeerError({
    code: 'MODEL_PREPROCESS',
    kind: 'model',
    message: `${file}: ${field} ${what}; correct the file`,
    details: { file, field },
  })
}
