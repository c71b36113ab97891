/** The body of an embedding job's spec: one network, the value of it that is wanted, and what its elements are called. */
import { z } from 'zod'
import { PeerError } from '../../../base/errors.ts'
import { isBlockId } from '../../../base/ids.ts'
import { limits } from '../../../base/limits.ts'
import { imagePreprocessSchema } from '../../../data/images/preprocess.ts'
import type { Column } from '../rows/result.ts'

const name = z.string().min(1).max(1024)
const size = z.int().min(1).max(16_384)

export const embedSpec = z.strictObject({
  name,
  /** The ONNX file. */
  file: z.strictObject({
    bytes: z.int().min(1).max(limits.modelBytesMax),
    blocks: z.array(z.string().refine(isBlockId, 'not a block id')).min(1).max(4096),
  }),
  /** The network's input, as [N, channels, height, width] or [N, height, width, channels]. */
  input: z.strictObject({ name, height: size, width: size, layout: z.enum(['nchw', 'nhwc']) }),
  preprocess: imagePreprocessSchema,
  /** An output of the network, or what any node of it gives. */
  output: name,
  /** Elements of it for one image. */
  width: z.int().min(1).max(limits.tableColumnsMax),
})

export type EmbedSpec = z.infer<typeof embedSpec>

/** A spec from another peer, checked. */
export function parseEmbedSpec(body: unknown): EmbedSpec {
  const parsed = embedSpec.safeParse(body)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw new PeerError({
    code: 'JOB_SPEC_INVALID',
    kind: 'protocol',
    message: `the job's spec is not sound: ${issue.path.join('.')} ${issue.message}`,
  })
}

/** `f0`, `f1`, …: elements of a vector have no names of their own. */
export function embedColumns({ width }: Pick<EmbedSpec, 'width'>): Column[] {
  return Array.from({ length: width }, (_, i) => ({ name: `f${i}`, kind: 'number' }))
}

/** Two batches of a lane: small enough that slow peers get a fair share and little is lost with a peer. */
const itemsMax = 64

/** Items a shard, so that a shard's result stays well below a message's limit; depends on the options alone. */
export function embedItemsPerShard({ width }: Pick<EmbedSpec, 'width'>): number {
  return Math.max(1, Math.min(itemsMax, Math.floor(limits.blockBytes / (4 * width))))
}
