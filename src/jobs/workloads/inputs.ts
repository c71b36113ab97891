/**
 * A job's inputs as shards in a store: images by their files, or the rows of tables. Invariant: where shards are cut depends
 * on the files and the source alone, so that a submitter that was stopped reads on where it was.
 */
import { z } from 'zod'
import { assert, PeerError } from '../../base/errors.ts'
import type { BlockId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { type InputFile, listInputs, type PassedOver } from '../../data/readers/inputs.ts'
import { type CutShard, cutShards, readShardPaths } from '../../data/sharding.ts'
import type { BlockStore } from '../../data/store/types.ts'
import { newReport, type TableReport, tableOptionsSchema } from '../../data/tables/options.ts'
import { firstRow, readTable, tableExtensions } from '../../data/tables/read.ts'
import { storeTableShard } from '../../data/tables/shard-blocks.ts'
import type { TableShard } from '../../data/tables/types.ts'

/** How inputs become shards. */
export const inputSourceSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('images'), itemsPerShard: z.int().min(1).max(limits.shardItemsMax) }),
  z.strictObject({ kind: z.literal('table'), options: tableOptionsSchema }),
  z.strictObject({ kind: z.literal('probe'), shards: z.int().min(1).max(limits.shardsMax) }),
])
export type InputSource = z.infer<typeof inputSourceSchema>

export interface Inputs {
  source: InputSource
  /** Folders, files or globs, relative to `cwd`. */
  names: readonly string[]
  cwd: string
}

type Store = Pick<BlockStore, 'put'>

/**
 * The shards, read as they are asked for; the first file is looked for at once.
 * @param report what became of a table's rows
 * @throws PeerError kind `input`: INPUT_MISSING, INPUT_NONE…, TABLE_…
 */
export async function openInputs(
  inputs: Inputs,
): Promise<(store: Store, report?: TableReport) => AsyncIterable<CutShard>> {
  const { source } = inputs
  if (source.kind === 'probe') return store => nothings(source.shards, store)
  const passedOver = { files: 0 }
  const files = await peek(filesOf(inputs, passedOver))
  return (store, report) => {
    // The same object: it is filled while the folders are listed.
    if (report) report.passedOver = passedOver
    if (source.kind === 'images') return cutShards(files, store, { itemsPerShard: source.itemsPerShard })
    return stored(readTable(files, source.options, report), store)
  }
}

/** The table's columns, from its first row. @throws PeerError kind `input` */
export async function firstColumns(inputs: Inputs): Promise<readonly string[]> {
  const { source } = inputs
  if (source.kind !== 'table') return []
  for await (const shard of readTable(filesOf(inputs), { ...source.options, rowsPerShard: 1 })) return shard.columns
  throw nothing()
}

/** The table's columns, and its first row's cells as texts, whatever they are. @throws PeerError kind `input` */
export function firstCells(inputs: Inputs): ReturnType<typeof firstRow> {
  const { source } = inputs
  assert(source.kind === 'table', 'tables have columns')
  return firstRow(filesOf(inputs), source.options)
}

/** The shards behind the known ones. @throws PeerError INPUT_CHANGED where the files are not the same any more */
export function restOfInputs(
  inputs: Inputs,
  known: readonly { items: number; blocks: readonly BlockId[] }[],
  local: (block: BlockId) => Promise<Uint8Array | undefined>,
  store: Store,
  report: TableReport = newReport(),
): AsyncIterable<CutShard> {
  const { source } = inputs
  if (source.kind === 'probe') return nothings(source.shards - known.length, store)
  if (source.kind === 'table') return restOfTable(readTable(filesOf(inputs), source.options, report), known, store)
  return cutShards(restOfFiles(filesOf(inputs), known, local), store, { itemsPerShard: source.itemsPerShard })
}

function filesOf({ source, names, cwd }: Inputs, passedOver?: PassedOver): AsyncIterable<InputFile> {
  const kind = source.kind === 'table' ? { extensions: tableExtensions, what: 'tables' } : {}
  return listInputs(names, { cwd, passedOver, ...kind })
}

/** Shards of one block that is the same for all. */
async function* nothings(shards: number, store: Store): AsyncIterable<CutShard> {
  const block = await store.put(Uint8Array.of(0))
  for (let shard = 0; shard < shards; shard++) yield { items: 1, bytes: 1, blocks: [block] }
}

async function* stored(shards: AsyncIterable<TableShard>, store: Store): AsyncIterable<CutShard> {
  for await (const shard of shards) yield await storeTableShard(shard, store)
}

async function* restOfTable(
  shards: AsyncIterable<TableShard>,
  known: readonly { blocks: readonly BlockId[] }[],
  store: Store,
): AsyncIterable<CutShard> {
  let place = 0
  for await (const shard of shards) {
    place++
    if (place < known.length) continue
    const cut = await storeTableShard(shard, store)
    if (place > known.length) yield cut
    else if (cut.blocks.join() !== known[place - 1].blocks.join()) throw changed()
  }
  if (place < known.length) throw changed()
}

async function* restOfFiles(
  files: AsyncIterable<InputFile>,
  known: readonly { items: number; blocks: readonly BlockId[] }[],
  local: (block: BlockId) => Promise<Uint8Array | undefined>,
): AsyncIterable<InputFile> {
  const done = known.reduce((sum, shard) => sum + shard.items, 0)
  const table = known.at(-1)?.blocks[0]
  const bytes = table === undefined ? undefined : await local(table)
  const expected = bytes && readShardPaths(bytes).at(-1)
  let place = 0
  for await (const input of files) {
    place++
    if (place === done && expected !== undefined && input.path.slice(0, expected.length) !== expected) throw changed()
    if (place > done) yield input
  }
  if (place < done) throw changed()
}

function changed(): PeerError {
  return new PeerError({
    code: 'INPUT_CHANGED',
    kind: 'input',
    message: 'its inputs are not the same files any more as before the restart: submit it again',
  })
}

function nothing(): PeerError {
  return new PeerError({ code: 'INPUT_NONE', kind: 'input', message: 'there is nothing in the inputs' })
}

/** The same stream, once its first element is there; throws what getting that one throws. */
async function peek<T>(source: AsyncIterable<T>): Promise<AsyncIterable<T>> {
  const iterator = source[Symbol.asyncIterator]()
  const first = await iterator.next()
  if (first.done) throw nothing()
  return (async function* () {
    yield first.value
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value
  })()
}
