/**
 * A training's state in a file of the user's own, so that it goes on though the mesh that it ran on is gone: what the
 * next round needs, as dag-cbor, beside what it is of. Written whole after each round.
 *
 * Invariant: a training goes on from the state of its own options, columns and data alone, and then ends with the bits that
 * it would have had undisturbed; that the data is the same, its first round finds out by the shards' hashes.
 */
import { decode, encode } from '@ipld/dag-cbor'
import { z } from 'zod'
import { PeerError } from '../../../base/errors.ts'
import { limits } from '../../../base/limits.ts'
import { kindAt, readNamed } from '../../../base/named-file.ts'
import { createTraining } from '../../../learn/training.ts'
import { parseTrainSpec, type TrainSpec } from './spec.ts'
import { decodeState } from './state.ts'

const schema = z.strictObject({
  v: z.literal(1),
  kind: z.literal('training checkpoint'),
  /** What the state is of. */
  options: z.string().max(limits.blockBytesMax),
  columns: z.array(z.string().max(limits.cellCharsMax)).max(limits.tableColumnsMax),
  state: z.instanceof(Uint8Array),
})

const identityOf = ({ options, images, holdout }: TrainSpec): string => JSON.stringify({ options, images, holdout })

/** @param spec the job's body, @param state the block of a round's parameters */
export function encodeCheckpoint(spec: unknown, state: Uint8Array): Uint8Array {
  const parsed = parseTrainSpec(spec)
  return encode({
    ...{ v: 1, kind: 'training checkpoint', columns: [...parsed.columns], options: identityOf(parsed) },
    state,
  })
}

/** The state of the largest training, and some words. */
const checkpointBytesMax = limits.modelBytesMax

/**
 * The state in a file, and the rounds that are done in it; undefined where there is no file yet.
 * @param spec the training that is to go on
 * @throws PeerError CHECKPOINT_INVALID, CHECKPOINT_OTHER
 */
export async function readCheckpoint(
  file: string,
  spec: TrainSpec,
): Promise<{ state: Uint8Array; rounds: number } | undefined> {
  if ((await kindAt(file)) === undefined) return undefined
  const bytes = await readNamed(file, { as: `the checkpoint ${file}`, bytesMax: checkpointBytesMax })
  let value: unknown
  try {
    value = decode(bytes)
  } catch (cause) {
    throw refused('CHECKPOINT_INVALID', file, 'is no checkpoint of a training', cause)
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw refused('CHECKPOINT_INVALID', file, 'is no checkpoint of a training', parsed.error)
  const { options, columns, state } = parsed.data
  const same = columns.length === spec.columns.length && columns.every((name, i) => name === spec.columns[i])
  if (options !== identityOf(spec) || !same)
    throw refused('CHECKPOINT_OTHER', file, 'is of a training with other options or columns')
  try {
    const { parameters } = decodeState(createTraining(spec.options, spec.columns), state)
    return { state, rounds: parameters.stage === 'rounds' ? parameters.round : 0 }
  } catch (cause) {
    throw refused('CHECKPOINT_INVALID', file, 'is damaged', cause)
  }
}

function refused(code: string, file: string, problem: string, cause?: unknown): PeerError {
  const message = `${file} ${problem}: name another file, or remove it to begin anew`
  return new PeerError({ code, kind: 'input', message, cause })
}
