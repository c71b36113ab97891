/**
 * The result blocks of jobs that give columns for each row (scores of a table, features of images), as dag-cbor: a
 * shard's, and a part of the merged result's, which differ in nothing; and the root, which says what the columns are.
 *
 * Invariant: numbers are float32, row by row; what comes from another peer is checked in every length before it is used.
 */
import { decode, encode } from '@ipld/dag-cbor'
import { z } from 'zod'
import { assert, PeerError } from '../../../base/errors.ts'
import { isBlockId } from '../../../base/ids.ts'
import { limits } from '../../../base/limits.ts'

export const columnSchema = z.strictObject({
  name: z.string().min(1).max(1024),
  kind: z.enum(['number', 'text']),
})

/** What a row gives: a float32 number, or a text. */
export type Column = z.infer<typeof columnSchema>

/** Rows that follow one another. */
export interface Rows {
  /** What each row is called: an image's path; empty: rows of a table, called by their place. */
  keys: string[]
  /** Place of the first row among all rows of the inputs, of a table; 0 for images. */
  firstRow: number
  /** How many rows these are. */
  rows: number
  /** [rows, columns of numbers], in the order of the columns. */
  numbers: Float32Array
  /** By column of texts, a place in `names` for each row. */
  texts: { names: string[]; places: Uint32Array }[]
  /** Inputs that could not be read; they are not among the rows. */
  errors: { path: string; reason: string }[]
  /** What the arithmetic was; of a part, all that its rows were computed in. */
  numericClasses: string[]
}

/** What the columns of a result are: the root of the merged result. */
export interface RowsRoot {
  /** What the job was: embed, features, score, probe. Absent in roots of before it was written down. */
  workload?: string
  /** Names and kinds of the columns: a float32 number, or a text. */
  columns: Column[]
  /** Whether rows have keys, and what they are: `path` or `row`. */
  key: 'path' | 'row'
  /** Rows of the whole result. */
  rows: number
  /** Inputs that could not be read. */
  errors: number
  /** Distinct numeric classes of the shards; one alone means reproducible to the bit. */
  numericClasses: string[]
  /** Blocks of the rows, in order. */
  parts: string[]
}

const text = z.string().max(limits.cellCharsMax)
const bytes = z.instanceof(Uint8Array)
const rowsSchema = z.strictObject({
  v: z.literal(1),
  kind: z.literal('rows'),
  keys: z.array(text).max(limits.tableShardRowsMax),
  firstRow: z.int().min(0),
  rows: z.int().min(0).max(limits.tableShardRowsMax),
  numbers: bytes,
  texts: z.array(z.strictObject({ names: z.array(text).max(limits.tableShardRowsMax), places: bytes })),
  errors: z.array(z.strictObject({ path: text, reason: text })).max(limits.shardItemsMax),
  numericClasses: z.array(z.string().max(256)).max(64),
})

const rootSchema = z.strictObject({
  v: z.literal(1),
  kind: z.literal('rows root'),
  workload: z.string().max(64).optional(),
  columns: z.array(columnSchema).min(1).max(limits.tableColumnsMax),
  key: z.enum(['path', 'row']),
  rows: z.int().min(0),
  errors: z.int().min(0),
  numericClasses: z.array(z.string().max(256)).max(64),
  parts: z.array(z.string().refine(isBlockId, 'not a block id')),
})

export const numberColumns = (columns: readonly Column[]): number =>
  columns.filter(column => column.kind === 'number').length

export function encodeRows(rows: Rows): Uint8Array {
  assert(rows.keys.length === 0 || rows.keys.length === rows.rows, 'every row has a key, or none')
  return encode({
    v: 1,
    kind: 'rows',
    ...rows,
    numbers: raw(rows.numbers),
    texts: rows.texts.map(({ names, places }) => ({ names, places: raw(places) })),
  })
}

/** @param columns the spec's; rows of any other shape are refused. Throws PeerError of kind `integrity`. */
export function decodeRows(block: Uint8Array, columns: readonly Column[]): Rows {
  const { v: _, kind: __, ...data } = parse('result of a shard', rowsSchema, block)
  const { rows, keys } = data
  const numbers = new Float32Array(words(data.numbers))
  const texts = data.texts.map(({ names, places }) => ({ names, places: new Uint32Array(words(places)) }))
  const numeric = numberColumns(columns)
  if (numbers.length !== rows * numeric) throw damaged(`it has ${numbers.length} numbers, not ${rows * numeric}`)
  if (texts.length !== columns.length - numeric) throw damaged(`it has ${texts.length} columns of texts`)
  for (const { names, places } of texts) {
    if (places.length !== rows || places.some(place => place >= names.length)) throw damaged('a text is missing')
  }
  if (keys.length !== 0 && keys.length !== rows) throw damaged(`it has ${keys.length} keys for ${rows} rows`)
  return { ...data, numbers, texts }
}

export function encodeRowsRoot(root: RowsRoot): Uint8Array {
  return encode({ v: 1, kind: 'rows root', ...root })
}

/** Throws PeerError of kind `integrity`. */
export function decodeRowsRoot(block: Uint8Array): RowsRoot {
  const { v: _, kind: __, ...root } = parse('result', rootSchema, block)
  return root
}

/** Collects texts as places in a list of the distinct ones. */
export class TextColumn {
  readonly #places: number[] = []
  readonly #known = new Map<string, number>()

  push(value: string): void {
    let place = this.#known.get(value)
    if (place === undefined) {
      place = this.#known.size
      this.#known.set(value, place)
    }
    this.#places.push(place)
  }

  done(): Rows['texts'][number] {
    return { names: [...this.#known.keys()], places: Uint32Array.from(this.#places) }
  }
}

function raw({ buffer, byteOffset, byteLength }: Float32Array | Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function words(data: Uint8Array): ArrayBuffer {
  if (data.byteLength % 4 !== 0) throw damaged('a column is not whole')
  return data.slice().buffer
}

function parse<T>(what: string, schema: z.ZodType<T>, block: Uint8Array): T {
  let value: unknown
  try {
    value = decode(block)
  } catch (cause) {
    throw damaged(`the ${what} is not dag-cbor`, cause)
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw damaged(`the ${what}: ${parsed.error.issues[0].message}`)
  return parsed.data
}

function damaged(why: string, cause?: unknown): PeerError {
  return new PeerError({
    code: 'RESULT_INVALID',
    kind: 'integrity',
    message: `a result is damaged: ${why}`,
    retry: 'elsewhere',
    cause,
  })
}
