/** Reads a merged result from wherever its blocks are, part by part, in constant memory. */
import { PeerError } from '../base/errors.ts'
import type { BlockId, JobId, PeerKey } from '../base/ids.ts'
import {
  decodeMergedPart,
  decodeMergedRoot,
  type MergedPart,
  type MergedRoot,
} from '../jobs/workloads/classify/result.ts'
import { resultKind, resultParts } from '../jobs/workloads/result-parts.ts'
import { decodeRows, decodeRowsRoot, type RowsRoot } from '../jobs/workloads/rows/result.ts'
import { decodeModelRoot, type ModelRoot } from '../jobs/workloads/train/result.ts'
import type { BlockExchange } from './blocks/block-exchange.ts'
import { patient } from './blocks/patient.ts'
import type { ResultItem, ResultRow } from './control.ts'

function ranked(root: MergedRoot, columns: { labels: Uint32Array; scores: Float32Array }, row: number) {
  return Array.from({ length: root.top }, (_, k) => ({
    label: root.labels[columns.labels[row * root.top + k]],
    score: columns.scores[row * root.top + k],
  }))
}

function rowOf(root: MergedRoot, part: MergedPart, row: number): ResultRow {
  return {
    path: part.paths[row],
    top: ranked(root, part, row),
    models: part.models.map((columns, m) => ({ name: root.models[m], top: ranked(root, columns, row) })),
  }
}

async function readRoot(
  exchange: BlockExchange,
  result: string,
  holders: PeerKey[],
  signal?: AbortSignal,
): Promise<Uint8Array> {
  try {
    return await exchange.get(result, holders, signal)
  } catch (cause) {
    throw new PeerError({
      code: 'RESULT_UNAVAILABLE',
      kind: 'transport',
      message:
        holders.length > 0
          ? 'no reachable peer holds the result; start the peer that led the job or the one that submitted it'
          : 'the result is not here any more (its files are damaged or gone), and no connected peer has it: submit the job again',
      retry: 'later',
      cause,
    })
  }
}

async function readPart(exchange: BlockExchange, part: BlockId, holders: PeerKey[]): Promise<Uint8Array> {
  try {
    return await exchange.get(part, holders)
  } catch (cause) {
    if (!(cause instanceof PeerError) || cause.kind !== 'transport') throw cause
    throw new PeerError({
      code: 'RESULT_UNAVAILABLE',
      kind: 'transport',
      message: `a part of the result is not here any more, and ${
        holders.length > 0
          ? 'no reachable peer has it: start the peer that led the job or the one that submitted it'
          : 'no connected peer has it: submit the job again'
      }`,
      retry: 'later',
      cause,
    })
  }
}

/** What a result is read from: the exchange, and who may hold its blocks. */
export interface ResultSource {
  exchange: BlockExchange
  job: JobId
  result: BlockId
  /** Other peers. */
  holders: PeerKey[]
}

/** @throws PeerError RESULT_UNAVAILABLE and as the exchange's, once its holders were not to be reached for ten seconds */
export async function* readResult({ exchange: hasty, job, result, holders }: ResultSource): AsyncGenerator<ResultItem> {
  // Where this peer alone had it, nobody is worth waiting for.
  const exchange = holders.length > 0 ? patient(hasty) : hasty
  const bytes = await readRoot(exchange, result, holders)
  const get = (id: BlockId) => readPart(exchange, id, holders)
  // The root says what it is: a peer that never saw the job's spec reads it too.
  const { form } = resultKind(bytes)
  if (form === 'predictions') yield* classified(job, decodeMergedRoot(bytes), get)
  else if (form === 'model') yield* trained(job, decodeModelRoot(bytes), get)
  else yield* columns(job, decodeRowsRoot(bytes), get)
}

type Get = (id: BlockId) => Promise<Uint8Array>

async function* classified(job: JobId, root: MergedRoot, get: Get): AsyncGenerator<ResultItem> {
  const { parts, ...header } = root
  yield { type: 'header', job, ...header }
  for (const id of parts) {
    const part = decodeMergedPart(await get(id), root)
    for (let row = 0; row < part.paths.length; row++) yield { type: 'row', ...rowOf(root, part, row) }
    for (const error of part.errors) yield { type: 'error', ...error }
  }
}

async function* columns(job: JobId, { parts, ...header }: RowsRoot, get: Get): AsyncGenerator<ResultItem> {
  yield { type: 'columns', job, ...header }
  for (const id of parts) {
    const rows = decodeRows(await get(id), header.columns)
    yield { type: 'rows', rows }
    for (const error of rows.errors) yield { type: 'error', ...error }
  }
}

async function* trained(job: JobId, { parts, ...header }: ModelRoot, get: Get): AsyncGenerator<ResultItem> {
  yield { type: 'model', job, ...header }
  for (const id of parts) yield { type: 'bytes', bytes: await get(id) }
}

/** Brings a whole result here, so that it outlives the peers that hold it; each block is held before it is fetched. */
export async function keepResult(
  exchange: BlockExchange,
  result: BlockId,
  holders: PeerKey[],
  hold: (block: BlockId) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  await hold(result)
  for (const part of resultParts(await readRoot(exchange, result, holders, signal))) {
    await hold(part)
    await exchange.get(part, holders, signal)
  }
}

/** The blocks of a result whose root is here; asks nobody. */
export async function resultHere(exchange: BlockExchange, result: BlockId): Promise<BlockId[]> {
  const bytes = await exchange.local(result)
  return bytes ? [result, ...resultParts(bytes)] : []
}
