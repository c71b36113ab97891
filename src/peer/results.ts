/** Reads a merged result from wherever its blocks are, part by part, in constant memory. */
import { PeerError } from '../base/errors.ts'
import type { BlockId, JobId, PeerKey } from '../base/ids.ts'
import {
  decodeMergedPart,
  decodeMergedRoot,
  type MergedPart,
  type MergedRoot,
} from '../jobs/workloads/classify/result.ts'
import type { BlockExchange } from './block-exchange.ts'
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

async function readRoot(exchange: BlockExchange, result: string, holders: PeerKey[]): Promise<MergedRoot> {
  try {
    return decodeMergedRoot(await exchange.get(result, holders))
  } catch (cause) {
    throw new PeerError({
      code: 'RESULT_UNAVAILABLE',
      kind: 'transport',
      message: 'no reachable peer holds the result; start the peer that led the job or the one that submitted it',
      retry: 'later',
      cause,
    })
  }
}

export async function* readResult(
  exchange: BlockExchange,
  job: JobId,
  result: string,
  holders: PeerKey[],
): AsyncGenerator<ResultItem> {
  const root = await readRoot(exchange, result, holders)
  const { parts, ...header } = root
  yield { type: 'header', job, ...header }
  for (const id of parts) {
    const part = decodeMergedPart(await exchange.get(id, holders), root)
    for (let row = 0; row < part.paths.length; row++) yield { type: 'row', ...rowOf(root, part, row) }
    for (const error of part.errors) yield { type: 'error', ...error }
  }
}

/** Brings a whole result here, so that it outlives the peers that hold it; each block is held before it is fetched. */
export async function keepResult(
  exchange: BlockExchange,
  result: BlockId,
  holders: PeerKey[],
  hold: (block: BlockId) => Promise<void>,
): Promise<void> {
  await hold(result)
  const root = await readRoot(exchange, result, holders)
  for (const part of root.parts) {
    await hold(part)
    await exchange.get(part, holders)
  }
}

/** The blocks of a result whose root is here; asks nobody. */
export async function resultHere(exchange: BlockExchange, result: BlockId): Promise<BlockId[]> {
  const bytes = await exchange.local(result)
  return bytes ? [result, ...decodeMergedRoot(bytes).parts] : []
}
