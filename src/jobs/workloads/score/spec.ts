/**
 * The body of a scoring job's spec: which models read which columns of the table, what they give for each row, and how
 * their decisions are merged. Everything that an assignee needs is here or in the blocks that it names.
 */
import { z } from 'zod'
import { PeerError } from '../../../base/errors.ts'
import { isBlockId } from '../../../base/ids.ts'
import { limits } from '../../../base/limits.ts'
import { type Column, columnSchema } from '../rows/result.ts'

const name = z.string().min(1).max(1024)

/**
 * `none`: each model's outputs alone. `mean`: the weighted mean of their scores. `vote`: each model casts its weight for its
 * best class. `max`: the highest score that any model gives.
 */
export const scoreMerges = ['none', 'mean', 'vote', 'max'] as const
export type ScoreMerge = (typeof scoreMerges)[number]

const model = z.strictObject({
  name,
  file: z.strictObject({
    bytes: z.int().min(1).max(limits.modelBytesMax),
    blocks: z.array(z.string().refine(isBlockId, 'not a block id')).min(1).max(4096),
  }),
  /** For each of the model's inputs, [rows, columns] or [rows, 1], the places of its columns among the features, or the texts. */
  inputs: z
    .array(
      z.strictObject({
        name,
        kind: z.enum(['number', 'text']),
        columns: z.array(z.int().min(0)).min(1).max(limits.tableColumnsMax),
      }),
    )
    .min(1)
    .max(limits.tableColumnsMax),
  /** Outputs in order, and what their elements of one row are called. */
  outputs: z
    .array(z.strictObject({ name, columns: z.array(columnSchema).min(1).max(limits.tableColumnsMax) }))
    .min(1)
    .max(1024),
  weight: z.number().positive().finite(),
  /** The output that is merged, by its place, and for each of its elements the place among the job's classes. */
  merged: z.strictObject({ output: z.int().min(0), classes: z.array(z.int().min(0)) }).optional(),
})
export type ScoreModel = z.infer<typeof model>

export const scoreSpec = z
  .strictObject({
    models: z.array(model).min(1).max(limits.modelsMax),
    /** Columns of the table that are numbers, as all shards have them. */
    features: z.array(name).max(limits.tableColumnsMax),
    /** Columns that are texts. */
    texts: z.array(name).max(limits.tableColumnsMax),
    merge: z.enum(scoreMerges),
    /** Names of what is merged: classes, or the one value. Empty where nothing is. */
    classes: z.array(z.string().max(limits.cellCharsMax)).max(limits.labelsMax),
  })
  .refine(
    ({ models, features, texts }) =>
      models.every(one =>
        one.inputs.every(port => port.columns.every(at => at < (port.kind === 'text' ? texts : features).length)),
      ),
    'an input reads a column that is not there',
  )
  .refine(
    spec =>
      spec.merge === 'none' ||
      (spec.classes.length > 0 &&
        spec.models.every(
          ({ merged, outputs }) =>
            merged !== undefined &&
            outputs[merged.output]?.columns.length === merged.classes.length &&
            outputs[merged.output].columns.every(column => column.kind === 'number') &&
            new Set(merged.classes).size === spec.classes.length &&
            merged.classes.every(place => place < spec.classes.length),
        )),
    'the models cannot be merged',
  )

export type ScoreSpec = z.infer<typeof scoreSpec>

/** A spec from another peer, checked. */
export function parseScoreSpec(body: unknown): ScoreSpec {
  const parsed = scoreSpec.safeParse(body)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw new PeerError({
    code: 'JOB_SPEC_INVALID',
    kind: 'protocol',
    message: `the job's spec is not sound: ${issue.path.join('.')} ${issue.message}`,
  })
}

/** What a row gives: first what was merged, then each model's outputs. */
export function scoreColumns({ models, merge, classes }: ScoreSpec): Column[] {
  const merged: Column[] =
    merge === 'none'
      ? []
      : classes.length === 1
        ? [{ name: 'value', kind: 'number' }]
        : [
            { name: 'label', kind: 'text' },
            { name: 'score', kind: 'number' },
          ]
  return [...merged, ...models.flatMap(one => one.outputs.flatMap(output => output.columns))]
}
