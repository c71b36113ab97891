/** The result of a training, as dag-cbor: the model's file in blocks, and what is told of how it came about. */
import { decode, encode } from '@ipld/dag-cbor'
import { z } from 'zod'
import { PeerError } from '../../../base/errors.ts'
import { isBlockId } from '../../../base/ids.ts'
import { limits } from '../../../base/limits.ts'

const name = z.string().max(limits.cellCharsMax)

const schema = z.strictObject({
  v: z.literal(1),
  kind: z.literal('model root'),
  workload: z.literal('train').optional(),
  method: name,
  /** The ONNX file's bytes; its blocks are the parts. */
  bytes: z.int().min(1).max(limits.modelBytesMax),
  parts: z.array(z.string().refine(isBlockId, 'not a block id')).min(1),
  /** The model card as JSON; it is inside the file too. */
  card: z.string().max(8 * 1024 * 1024),
  rows: z.int().min(0),
  rounds: z.int().min(0),
  objective: z.strictObject({ name, falls: z.boolean(), value: z.number().nullable() }),
  /** The objective after each round that had one. */
  history: z.array(z.number()).max(limits.roundsMax),
  /** Labels of the data by what the model says of them, [names, names]; absent where there are no classes. */
  confusion: z
    .strictObject({ names: z.array(name).max(limits.labelsMax), counts: z.array(z.int().min(0)) })
    .refine(({ names, counts }) => counts.length === names.length ** 2, 'a matrix is square')
    .optional(),
  /** Of the rows that the matrix is of, where they were not learnt from; absent: it is of the training rows. */
  heldOut: z.strictObject({ share: z.number(), rows: z.int().min(0), unknown: z.int().min(0) }).optional(),
  numericClasses: z.array(z.string().max(256)).max(64),
})

/** How a model came about: its method, rows, rounds, objective, confusion matrix and card; its ONNX file follows in pieces. */
export type ModelRoot = Omit<z.infer<typeof schema>, 'v' | 'kind' | 'workload'>

export function encodeModelRoot(root: ModelRoot): Uint8Array {
  return encode({ v: 1, kind: 'model root', workload: 'train', ...root })
}

/** Throws PeerError of kind `integrity`. */
export function decodeModelRoot(block: Uint8Array): ModelRoot {
  let value: unknown
  try {
    value = decode(block)
  } catch (cause) {
    throw damaged('it is not dag-cbor', cause)
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw damaged(parsed.error.issues[0].message)
  const { v: _, kind: __, workload: ___, ...root } = parsed.data
  return root
}

function damaged(why: string, cause?: unknown): PeerError {
  return new PeerError({
    code: 'RESULT_INVALID',
    kind: 'integrity',
    message: `a trained model is damaged: ${why}`,
    retry: 'elsewhere',
    cause,
  })
}
