/**
 * The two kinds of result block of a classification job, as dag-cbor: a shard's (every probability of
 * every network, so that the leader merges) and a merged part's (the rows that the user asked for).
 */
import * as cbor from '@ipld/dag-cbor'
import { z } from 'zod'
import { PeerError } from '../../../base/errors.ts'
import { limits } from '../../../base/limits.ts'

/** One shard's result. Row r of `scores[m]` is `labels` float32 values, in the job's order of labels. */
export interface ShardScores {
  paths: string[]
  /** Row -> why it could not be read; its scores are all 0. */
  errors: { row: number; reason: string }[]
  scores: Float32Array[]
  /** What the arithmetic was: rows computed in one class have the same bits wherever they were computed. */
  numericClass: string
}

/** The merged rows of some consecutive shards: columns, so that a part is small and quick to read. */
export interface MergedPart {
  paths: string[]
  /** Label places, `top` a row, best first. */
  labels: Uint32Array
  scores: Float32Array
  models: { labels: Uint32Array; scores: Float32Array }[]
  /** Inputs that could not be read; not among `paths`. */
  errors: { path: string; reason: string }[]
}

/** The root of the merged result: what the rows mean, and where they are. */
export interface MergedRoot {
  /** Names of the classes. */
  labels: string[]
  /** Names of the models, in the order of the request. */
  models: string[]
  /** How the models’ scores were merged. */
  merge: string
  /** Labels that are kept for each image. */
  top: number
  /** Images that were classified. */
  rows: number
  /** Images that could not be read. */
  errors: number
  /** Distinct numeric classes of the attempts; one alone means reproducible to the bit. */
  numericClasses: string[]
  parts: string[]
}

const text = z.string().max(32_768)
const bytes = z.instanceof(Uint8Array)
const shardSchema = z.object({
  v: z.literal(1),
  paths: z.array(text).max(limits.shardItemsMax),
  errors: z.array(z.object({ row: z.number().int().min(0), reason: text })).max(limits.shardItemsMax),
  scores: z.array(bytes).max(limits.modelsMax),
  numericClass: z.string().max(256),
})
const ranked = z.object({ labels: bytes, scores: bytes })
const partSchema = z.object({
  v: z.literal(1),
  paths: z.array(text),
  merged: ranked,
  models: z.array(ranked).max(limits.modelsMax),
  errors: z.array(z.object({ path: text, reason: text })),
})
const rootSchema = z.object({
  v: z.literal(1),
  kind: z.literal('predictions root').optional(),
  workload: z.literal('classify').optional(),
  labels: z.array(z.string().max(1024)).min(1).max(limits.labelsMax),
  models: z.array(z.string().max(256)).min(1).max(limits.modelsMax),
  merge: z.string().max(16),
  top: z.number().int().min(1).max(1000),
  rows: z.number().int().min(0),
  errors: z.number().int().min(0),
  numericClasses: z.array(z.string().max(256)),
  parts: z.array(z.string().max(64)),
})

function damaged(what: string, why: string): PeerError {
  return new PeerError({
    code: 'RESULT_INVALID',
    kind: 'integrity',
    message: `a ${what} is damaged: ${why}`,
    retry: 'elsewhere',
  })
}

function decode<T>(what: string, schema: z.ZodType<T>, block: Uint8Array): T {
  let value: unknown
  try {
    value = cbor.decode(block)
  } catch (cause) {
    throw damaged(what, cause instanceof Error ? cause.message : 'not dag-cbor')
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw damaged(what, parsed.error.issues[0].message)
  return parsed.data
}

/** Typed arrays travel as their little-endian bytes; every machine that runs this is little-endian. */
const raw = (array: Float32Array | Uint32Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

function words(data: Uint8Array, what: string): ArrayBuffer {
  if (data.byteLength % 4 !== 0) throw damaged(what, 'a column is not whole')
  return data.slice().buffer
}

export function encodeShardScores(result: ShardScores): Uint8Array {
  return cbor.encode({ v: 1, ...result, scores: result.scores.map(raw) })
}

/** `models` and `labels` are the spec's; a result of any other shape is refused. */
export function decodeShardScores(block: Uint8Array, models: number, labels: number): ShardScores {
  const what = 'shard result'
  const { v: _, ...data } = decode(what, shardSchema, block)
  const scores = data.scores.map(column => new Float32Array(words(column, what)))
  if (scores.length !== models) throw damaged(what, `${scores.length} networks, expected ${models}`)
  for (const column of scores) {
    if (column.length !== data.paths.length * labels)
      throw damaged(what, `${column.length} scores, expected ${data.paths.length * labels}`)
  }
  if (data.errors.some(error => error.row >= data.paths.length)) throw damaged(what, 'an error names no row')
  return { ...data, scores }
}

export function encodeMergedPart(part: MergedPart): Uint8Array {
  return cbor.encode({
    v: 1,
    paths: part.paths,
    merged: { labels: raw(part.labels), scores: raw(part.scores) },
    models: part.models.map(model => ({ labels: raw(model.labels), scores: raw(model.scores) })),
    errors: part.errors,
  })
}

export function decodeMergedPart(block: Uint8Array, root: MergedRoot): MergedPart {
  const what = 'merged result'
  const data = decode(what, partSchema, block)
  const columns = ({ labels, scores }: { labels: Uint8Array; scores: Uint8Array }) => {
    const ranked = { labels: new Uint32Array(words(labels, what)), scores: new Float32Array(words(scores, what)) }
    const expected = data.paths.length * root.top
    if (ranked.labels.length !== expected || ranked.scores.length !== expected)
      throw damaged(what, `expected ${expected} entries`)
    if (ranked.labels.some(label => label >= root.labels.length)) throw damaged(what, 'a label is out of range')
    return ranked
  }
  if (data.models.length !== root.models.length) throw damaged(what, 'networks are missing')
  return { paths: data.paths, errors: data.errors, ...columns(data.merged), models: data.models.map(columns) }
}

export function encodeMergedRoot(root: MergedRoot): Uint8Array {
  return cbor.encode({ v: 1, kind: 'predictions root', workload: 'classify', ...root })
}

export function decodeMergedRoot(block: Uint8Array): MergedRoot {
  const { v: _, kind: __, workload: ___, ...root } = decode('merged result', rootSchema, block)
  return root
}
