/** What a submitter may ask for, as data: the same schema checks a library's call and what comes through a peer's socket. */
import { z } from 'zod'
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { tableInitSchema } from '../../data/tables/options.ts'
import { priorityMax } from '../wire/spec.ts'
import { titleCharsMax } from '../wire/title.ts'
import { mergeKinds, scoreKinds } from './classify/spec.ts'
import { scoreMerges } from './score/spec.ts'

const text = z.string().min(1, 'it is empty').max(4096)
const weights = z.array(z.number().positive()).max(limits.modelsMax)
const models = z.array(text).min(1).max(limits.modelsMax)

const common = {
  /** What the job is called in lists. Default: as its first input. */
  name: z.string().trim().min(1).max(titleCharsMax).optional(),
  /** Folders, files or globs, relative to `cwd`. */
  inputs: z.array(text).min(1).max(100_000),
  cwd: text,
  /** Other peers that shall hold the inputs before this one may leave; as many as there are, if fewer. Default 0. */
  copies: z.int().min(0).max(limits.peersMax).optional(),
  /** A peer works on the job of the highest first; jobs of one share. Default 0. */
  priority: z.int().min(0).max(priorityMax).optional(),
  /** The job is cancelled when this process ends before it: for a submitter that is the peer itself. Default false. */
  attached: z.boolean().optional(),
}

const images = {
  ...common,
  /** Images of one shard, at most what is usual: fewer spread a small job further. */
  itemsPerShard: z.int().min(1).max(limits.shardItemsMax).optional(),
}

const classify = z.strictObject({
  workload: z.literal('classify'),
  ...images,
  /** `.onnx` files or folders as Hugging Face exports are, relative to `cwd`. */
  models,
  merge: z.enum(mergeKinds),
  /** One a model; all 1 when absent. */
  weights: weights.optional(),
  top: z.int().min(1).max(1000),
  /** One label a line, for networks that bring none. */
  labels: text.optional(),
  /** Overrides what the graph's last operator suggests. */
  scores: z.enum(scoreKinds).optional(),
})

const embed = z.strictObject({
  workload: z.literal('embed'),
  ...images,
  model: text,
  /** An output of the network, or what any node of it gives; default: its first output. */
  output: text.optional(),
})

const features = z.strictObject({
  workload: z.literal('features'),
  ...images,
  /** As `parseImageFeatures` of src/learn takes them. */
  features: z.record(z.string().max(64), z.unknown()),
})

/** How the table is read; the label's column is not among the features. */
const table = tableInitSchema.optional()

const score = z.strictObject({
  workload: z.literal('score'),
  ...common,
  models,
  merge: z.enum(scoreMerges).optional(),
  weights: weights.optional(),
  table,
})

const train = z.strictObject({
  workload: z.literal('train'),
  ...common,
  /** As `parseTrainOptions` of src/learn takes them. */
  options: z.record(z.string().max(64), z.unknown()),
  table,
  /** `softmax`, `svm`: the share of rows, such as 0.2, that the model is judged by and does not learn from. Default: none. */
  holdout: z.number().gt(0, 'must be above 0').lt(1, 'must be below 1').optional(),
  /** A file that holds the state after each round, and from which the training goes on where it is there. */
  checkpoint: text.optional(),
  /**
   * What of images the table's columns are: as `parseImageFeatures` takes it, or `{ kind: 'network', model, output? }` for what
   * a network makes of them, as an `embed` job has it. The model then takes images.
   */
  images: z.record(z.string().max(64), z.unknown()).optional(),
})

/** Shards of nothing, to measure the mesh by. */
const probe = z.strictObject({
  workload: z.literal('probe'),
  shards: z.int().min(1).max(limits.shardsMax),
  cwd: text,
  name: common.name,
  copies: common.copies,
  attached: common.attached,
  priority: common.priority,
})

export const jobRequestSchema = z.discriminatedUnion('workload', [classify, embed, features, probe, score, train])

/**
 * What `submit` takes: plain data, told apart by `workload`. Paths are relative to `cwd`, an absolute path. An option that is
 * absent has its default.
 */
export type JobRequest = z.infer<typeof jobRequestSchema>
/** Classification of images: every model gives each image a probability a label, and these are merged. */
export type ClassifyRequest = z.infer<typeof classify>

/** A request from outside, or from a program of the same process, as plain data. Throws PeerError REQUEST_INVALID. */
export function parseJobRequest(request: unknown): JobRequest {
  // What is undefined is absent: it could not be written down.
  const plain: unknown = request === undefined ? undefined : JSON.parse(JSON.stringify(request))
  const parsed = jobRequestSchema.safeParse(plain)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const message = `${issue.path.join('.') || 'the request'}: ${issue.message}`
  throw new PeerError({ code: 'REQUEST_INVALID', kind: 'input', message })
}
