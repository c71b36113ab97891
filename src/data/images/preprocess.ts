/**
 * What happens to a decoded image before a network sees it, as Hugging Face's `preprocessor_config.json`
 * states it: resize, centre crop, rescale, normalise, in this order.
 */
import { z } from 'zod'
import { limits } from '../../base/limits.ts'

/** Pillow's filter numbers, as `resample` in preprocessor_config.json: 0 nearest, 1 lanczos, 2 bilinear, 3 bicubic, 4 box, 5 hamming. */
export type ResampleFilter = 0 | 1 | 2 | 3 | 4 | 5

export interface ImagePreprocess {
  /** Pixels; `shortestEdge` keeps the aspect ratio. Absent: the image is used as it is. */
  resize?: ({ height: number; width: number } | { shortestEdge: number }) & { filter: ResampleFilter }
  /** Cut out of the middle before resizing: height and width as shares of the image's shorter side. */
  cropBefore?: { height: number; width: number }
  /** Cut out of the middle, after resizing; padded with 0 where the image is smaller. */
  centerCrop?: { height: number; width: number }
  /** Bytes are multiplied by this (1/255 as a rule; 1: left at 0..255). */
  rescaleFactor: number
  /** Per channel, R G B, after rescaling: (x - mean) / std. */
  normalize?: { mean: number[]; std: number[] }
  /** The network takes B G R. */
  flipChannels?: true
  /** What the network's input has. */
  channels: 1 | 3
}

const side = z.int().min(1).max(limits.imageSideMax)
const size = { height: side, width: side }
const filter = z.union([z.literal(0), z.literal(1), z.literal(2), z.literal(3), z.literal(4), z.literal(5)])
const share = z.number().min(1e-3).max(1e3)
const factors = z.array(z.number()).min(1).max(3)

/** The same as a schema, for what comes from another peer or a file: every size bounded, every number finite. */
export const imagePreprocessSchema: z.ZodType<ImagePreprocess> = z.strictObject({
  resize: z.union([z.strictObject({ ...size, filter }), z.strictObject({ shortestEdge: side, filter })]).optional(),
  cropBefore: z.strictObject({ height: share, width: share }).optional(),
  centerCrop: z.strictObject(size).optional(),
  rescaleFactor: z.number(),
  normalize: z.strictObject({ mean: factors, std: factors }).optional(),
  flipChannels: z.literal(true).optional(),
  channels: z.union([z.literal(1), z.literal(3)]),
})
