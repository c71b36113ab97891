/** The body of a training job's spec: which method with which options, on which columns. */
import { z } from 'zod'
import { PeerError } from '../../../base/errors.ts'
import { limits } from '../../../base/limits.ts'
import { parseTrainOptions, type TrainOptions } from '../../../learn/options.ts'

const schema = z.strictObject({
  options: z.unknown(),
  /** Names of the features, as all shards have them. */
  columns: z.array(z.string().max(limits.cellCharsMax)).min(1).max(limits.tableColumnsMax),
})

export interface TrainSpec {
  options: TrainOptions
  columns: string[]
}

/** A spec from another peer, checked. */
export function parseTrainSpec(body: unknown): TrainSpec {
  const parsed = schema.safeParse(body)
  if (parsed.success) return { columns: parsed.data.columns, options: parseTrainOptions(parsed.data.options) }
  const issue = parsed.error.issues[0]
  throw new PeerError({
    code: 'JOB_SPEC_INVALID',
    kind: 'protocol',
    message: `the job's spec is not sound: ${issue.path.join('.')} ${issue.message}`,
  })
}
