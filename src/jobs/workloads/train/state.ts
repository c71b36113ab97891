/**
 * What goes out and comes back in the rounds of a training job, as dag-cbor: the method's own parameters and partial sums
 * (src/learn), wrapped in what the job's result tells besides.
 *
 * A training goes through rounds of the method, the first of which summarises the table; a classifier then looks at all rows
 * once more and counts what it takes for what.
 */
import { decode, encode } from '@ipld/dag-cbor'
import { z } from 'zod'
import { PeerError } from '../../../base/errors.ts'
import { limits } from '../../../base/limits.ts'
import { createTraining, type Parameters, type PartialSum, type Training } from '../../../learn/training.ts'
import { parseTrainSpec } from './spec.ts'

export interface TrainState {
  stage: 'learn' | 'judge'
  parameters: Parameters
  /** The objective after each round that had one. */
  history: number[]
  /** SHA-256 of the shards' own, in their order; empty before the first round. */
  dataHash: string
  numericClasses: string[]
  /** Of the last stage: [classes, classes], and then the rows whose class was not learnt. */
  confusion?: Float64Array
}

export interface TrainPartial {
  stage: 'learn' | 'judge'
  sum?: PartialSum
  /** SHA-256 of each shard's blocks, in order; in the first round. */
  hashes: string[]
  numericClasses: string[]
  confusion?: Float64Array
}

const hash = z.string().max(64)
const classes = z.array(z.string().max(256)).max(64)
const bytes = z.instanceof(Uint8Array)

const stateSchema = z.strictObject({
  v: z.literal(1),
  stage: z.enum(['learn', 'judge']),
  parameters: bytes,
  history: z.array(z.number()).max(limits.roundsMax),
  dataHash: hash,
  numericClasses: classes,
})

const partialSchema = z.strictObject({
  v: z.literal(1),
  stage: z.enum(['learn', 'judge']),
  sum: bytes.optional(),
  hashes: z.array(hash).max(limits.shardsMax),
  numericClasses: classes,
  confusion: bytes.optional(),
})

export function encodeState(training: Training, state: TrainState): Uint8Array {
  const { stage, history, dataHash, numericClasses } = state
  const parameters = training.encodeParameters(state.parameters)
  return fitting(encode({ v: 1, stage, parameters, history, dataHash, numericClasses }))
}

/** Throws PeerError LEARN_BAD_BLOCK. */
export function decodeState(training: Training, block: Uint8Array): TrainState {
  const { v: _, parameters, ...state } = parse(stateSchema, block)
  return { ...state, parameters: training.decodeParameters(parameters) }
}

export function encodePartial(training: Training, partial: TrainPartial): Uint8Array {
  const { stage, hashes, numericClasses, sum, confusion } = partial
  const counts = confusion && new Uint8Array(confusion.buffer, confusion.byteOffset, confusion.byteLength)
  return fitting(
    encode({
      v: 1,
      stage,
      hashes,
      numericClasses,
      ...(sum && { sum: training.encodePartial(sum) }),
      ...(counts && { confusion: counts }),
    }),
  )
}

/** @param state the one that the partial was computed under. Throws PeerError LEARN_BAD_BLOCK. */
export function decodePartial(training: Training, block: Uint8Array, state: TrainState): TrainPartial {
  const { v: _, sum, confusion, ...partial } = parse(partialSchema, block)
  if (partial.stage !== state.stage) throw badBlock('it is of another stage')
  if (partial.stage === 'judge') {
    const classes = classesOf(state.parameters)
    if (confusion?.length !== 8 * (classes ** 2 + 1)) throw badBlock('its matrix has another size')
    return { ...partial, confusion: new Float64Array(confusion.slice().buffer) }
  }
  if (!sum) throw badBlock('it holds no sum')
  return { ...partial, sum: training.decodePartial(sum, state.parameters) }
}

/** How many classes the labels have; 0 where there are none. */
export function classesOf(parameters: Parameters): number {
  if (parameters.stage === 'summary') return 0
  const { label } = parameters.summary
  return label.kind === 'class' ? label.names.length : 0
}

function parse<T>(schema: z.ZodType<T>, block: Uint8Array): T {
  let value: unknown
  try {
    value = decode(block)
  } catch (cause) {
    throw badBlock('it is not dag-cbor', cause)
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw badBlock(parsed.error.issues[0].message)
  return parsed.data
}

/** A round's parameters, and what a shard adds to it, travel as one block. */
function fitting(block: Uint8Array): Uint8Array {
  if (block.length <= limits.blockBytesMax) return block
  throw new PeerError({
    code: 'LEARN_TOO_LARGE',
    kind: 'input',
    message: `a round of this training takes ${block.length} bytes, at most ${limits.blockBytesMax} are carried: take fewer components, classes or features, or simpler covariances`,
  })
}

function badBlock(why: string, cause?: unknown): PeerError {
  return new PeerError({
    code: 'LEARN_BAD_BLOCK',
    kind: 'integrity',
    message: `a block of a training is damaged: ${why}`,
    retry: 'elsewhere',
    cause,
  })
}

/** What the last round came to, from a round's parameters; undefined before there was one. Throws PeerError LEARN_BAD_BLOCK. */
export function lastObjective(spec: unknown, block: Uint8Array): { name: string; value: number } | undefined {
  const { history } = parse(stateSchema, block)
  const { options, columns } = parseTrainSpec(spec)
  const value = history.at(-1)
  return value === undefined ? undefined : { name: createTraining(options, columns).objective.name, value }
}
