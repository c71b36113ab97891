/** The body of a training job's spec: which method with which options, on which columns. */
import { z } from 'zod'
import { PeerError } from '../../../base/errors.ts'
import { limits } from '../../../base/limits.ts'
import { featureCount, type ImageFeatures, parseImageFeatures } from '../../../learn/features/features.ts'
import { parseTrainOptions, type TrainOptions } from '../../../learn/options.ts'
import { type EmbedSpec, parseEmbedSpec } from '../embed/spec.ts'

const schema = z.strictObject({
  options: z.unknown(),
  /** Names of the features, as all shards have them. */
  columns: z.array(z.string().max(limits.cellCharsMax)).min(1).max(limits.tableColumnsMax),
  /** What of images the columns are: the model then takes images. */
  images: z.unknown().optional(),
  /** The network whose value the columns are: the model then takes images, as the network does. */
  network: z.unknown().optional(),
  /** The share of rows that the classifier is judged by and does not learn from. */
  holdout: z.number().gt(0).lt(1).optional(),
  /** The state to go on from, as a round's parameters; absent: from the beginning. */
  checkpoint: z.instanceof(Uint8Array).optional(),
})

export interface TrainSpec {
  options: TrainOptions
  columns: string[]
  images?: ImageFeatures
  network?: EmbedSpec
  holdout?: number
  checkpoint?: Uint8Array
}

/** A spec from another peer, checked. */
export function parseTrainSpec(body: unknown): TrainSpec {
  const parsed = schema.safeParse(body)
  if (parsed.success) {
    const { columns, options, images, network, holdout, checkpoint } = parsed.data
    const held = holdout !== undefined && { holdout }
    const spec = { columns, options: parseTrainOptions(options), ...held, ...(checkpoint && { checkpoint }) }
    if (network !== undefined) return { ...spec, network: networkOf(columns, network) }
    return images === undefined ? spec : { ...spec, images: imagesOf(columns, images) }
  }
  const issue = parsed.error.issues[0]
  throw new PeerError({
    code: 'JOB_SPEC_INVALID',
    kind: 'protocol',
    message: `the job's spec is not sound: ${issue.path.join('.')} ${issue.message}`,
  })
}

function networkOf(columns: readonly string[], wanted: unknown): EmbedSpec {
  const network = parseEmbedSpec(wanted)
  if (network.width === columns.length) return network
  throw new PeerError({
    code: 'FEATURES_BAD_OPTIONS',
    kind: 'input',
    message: `${network.name} gives ${network.width} values an image at "${network.output}", and the table has ${columns.length} columns: take the same network and output for both`,
  })
}

function imagesOf(columns: readonly string[], wanted: unknown): ImageFeatures {
  const images = parseImageFeatures(wanted)
  const count = featureCount(images)
  if (count === columns.length) return images
  throw new PeerError({
    code: 'FEATURES_BAD_OPTIONS',
    kind: 'input',
    message: `an image has ${count} features of this kind, and the table ${columns.length} columns: take the same options for both`,
  })
}
