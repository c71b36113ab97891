/**
 * The body of a classification job's spec: which networks, how an image is prepared for each, and how
 * their decisions are merged. Everything an assignee needs is here or in the blocks that it names, so
 * the same spec gives the same result on every peer.
 */
import { z } from 'zod'
import { PeerError } from '../../../base/errors.ts'
import { isBlockId } from '../../../base/ids.ts'
import { limits } from '../../../base/limits.ts'
import { imagePreprocessSchema } from '../../../data/images/preprocess.ts'

const name = z.string().min(1).max(256)
const size = z.number().int().min(1).max(16_384)
const block = z.string().refine(isBlockId, 'not a block id')
const finite = z.number().refine(Number.isFinite, 'not a finite number')

/** How a network's output becomes probabilities. `none`: it already is one, or is wanted as it is. */
export const scoreKinds = ['softmax', 'sigmoid', 'none'] as const
export type ScoreKind = (typeof scoreKinds)[number]

/**
 * `mean`: the weighted mean of the probabilities. `vote`: each network casts its weight for its best
 * label; the score is the share of the weights. `max`: the highest probability that any network gives.
 */
export const mergeKinds = ['mean', 'vote', 'max'] as const
export type MergeKind = (typeof mergeKinds)[number]

const model = z.object({
  name,
  /** The ONNX file. */
  file: z.object({
    bytes: z.number().int().min(1).max(limits.modelBytesMax),
    blocks: z.array(block).min(1).max(4096),
  }),
  /** The network's input, as [N, channels, height, width] or [N, height, width, channels]. */
  input: z.object({ name, height: size, width: size, layout: z.enum(['nchw', 'nhwc']) }),
  output: name,
  preprocess: imagePreprocessSchema,
  score: z.enum(scoreKinds),
  weight: finite.refine(weight => weight > 0, 'a weight is positive'),
  /** The network gives one value an image, of the second label; the first label gets the rest. */
  binary: z.literal(true).optional(),
  /** `classes[i]`: the place in the job's labels of the network's i-th output. */
  classes: z.array(z.number().int().min(0)).min(1).max(limits.labelsMax),
})

export const classifySpec = z
  .object({
    models: z.array(model).min(1).max(limits.modelsMax),
    labels: z.array(z.string().max(1024)).min(1).max(limits.labelsMax),
    merge: z.enum(mergeKinds),
    /** Labels kept a row, best first; the CSV shows one. */
    top: z.number().int().min(1).max(1000),
  })
  .refine(
    spec =>
      spec.models.every(
        one =>
          one.classes.length === spec.labels.length &&
          new Set(one.classes).size === spec.labels.length &&
          one.classes.every(place => place < spec.labels.length),
      ),
    'a network and the labels do not match',
  )

export type ClassifySpec = z.infer<typeof classifySpec>
export type ClassifyModel = ClassifySpec['models'][number]

/** A spec from another peer, checked. */
export function parseClassifySpec(body: unknown): ClassifySpec {
  const parsed = classifySpec.safeParse(body)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw new PeerError({
    code: 'JOB_SPEC_INVALID',
    kind: 'protocol',
    message: `the job's spec is not sound: ${issue.path.join('.')} ${issue.message}`,
  })
}

/** Two batches of a lane: small enough that slow peers get a fair share and little is lost with a peer. */
const itemsMax = 64

/** Items a shard, so that a shard's result stays well below a message's limit; depends on the options alone. */
export function itemsPerShard(models: number, labels: number): number {
  const resultBytesAim = 1024 * 1024
  return Math.max(1, Math.min(itemsMax, Math.floor(resultBytesAim / (4 * models * labels))))
}
