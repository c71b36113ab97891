/**
 * What a trained model was made of and how: kept beside the ONNX file, and inside it. Invariant: it holds nothing of the time,
 * the machine or the peers, so that the same training gives the same card.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import type { TableShard } from '../../data/tables/types.ts'
import { notesOf } from '../notes.ts'
import type { TrainedResult } from '../train.ts'
import type { Training } from '../training.ts'
import { type HeldOut, heldOutSchema } from './held-out.ts'

const text = z.string().max(limits.cellCharsMax)

const schema = z.strictObject({
  format: z.literal('shardmesh.model-card/1'),
  method: text,
  /** Every option with its value, defaults too. */
  options: z.record(text, z.unknown()),
  data: z.strictObject({
    /** SHA-256 of the table, see `hashTable`, or of the job's shards. */
    hash: text,
    rows: z.int().min(1),
    columns: z.array(text).max(limits.tableColumnsMax),
    /** In the order of the outputs; absent without classes. */
    classes: z.array(text).max(limits.labelsMax).optional(),
  }),
  /** How the features are made from images; absent for a model of tables. */
  features: z.record(text, z.unknown()).optional(),
  objective: z.strictObject({ name: text, value: z.number().nullable() }),
  /** Of each round that had one. */
  history: z.array(z.number()).max(limits.roundsMax),
  rounds: z.int().min(0).max(limits.roundsMax),
  /** How good it is on rows that it did not learn from. */
  heldOut: heldOutSchema.optional(),
  /** What a reader must know of how it ended; absent where there is nothing. */
  notes: z.array(text).max(16).optional(),
})

export type ModelCard = z.infer<typeof schema>

export interface ModelCardInit {
  dataHash: string
  /** How the features were made, for models of images. */
  features?: Record<string, unknown>
  heldOut?: HeldOut
}

export function makeModelCard(training: Training, result: TrainedResult, init: ModelCardInit): ModelCard {
  const { summary } = result.setting
  const { label } = summary
  const notes = notesOf(result.parameters)
  return {
    format: 'shardmesh.model-card/1',
    method: training.options.method,
    options: { ...training.options },
    data: {
      hash: init.dataHash,
      rows: summary.rows,
      columns: [...summary.columns],
      ...(label.kind === 'class' && { classes: [...label.names] }),
    },
    ...(init.features && { features: init.features }),
    objective: {
      name: training.objective.name,
      value: Number.isFinite(result.objective) ? result.objective : null,
    },
    history: result.history,
    rounds: result.rounds,
    ...(init.heldOut && { heldOut: init.heldOut }),
    ...(notes.length > 0 && { notes }),
  }
}

/** @throws PeerError MODEL_BAD_CARD. @param what names the file */
export function parseModelCard(json: string, what: string): ModelCard {
  let raw: unknown
  try {
    raw = JSON.parse(json)
  } catch {
    raw = undefined
  }
  const parsed = schema.safeParse(raw)
  if (parsed.success) return parsed.data
  throw new PeerError({
    code: 'MODEL_BAD_CARD',
    kind: 'model',
    message: `${what} is no model card that this version reads; train the model again or leave the card out`,
  })
}

/** SHA-256 of a table's columns, values and labels, however it is cut into shards. */
export function hashTable(shards: readonly TableShard[]): string {
  const hash = createHash('sha256')
  hash.update(JSON.stringify(shards[0]?.columns ?? []))
  for (const { x } of shards) hash.update(new Uint8Array(x.buffer, x.byteOffset, x.byteLength))
  for (const { label } of shards) {
    if (label?.kind === 'number')
      hash.update(new Uint8Array(label.values.buffer, label.values.byteOffset, label.values.byteLength))
    else if (label) for (const code of label.codes) hash.update(`${JSON.stringify(label.names[code])}\n`)
  }
  return hash.digest('hex')
}
