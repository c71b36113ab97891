/**
 * A shard of a table as bytes: what travels between peers and lies in stores. Invariant: the same shard gives the same
 * bytes, and every length is checked against the others before it is used.
 */
import { decode, encode } from '@ipld/dag-cbor'
import { z } from 'zod'
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import type { LabelColumn, TableShard } from './types.ts'

const text = z.string().max(limits.cellCharsMax)
const bytes = z.instanceof(Uint8Array)

const schema = z.strictObject({
  version: z.literal(1),
  index: z.int().min(0).max(limits.shardsMax),
  firstRow: z.int().min(0),
  rows: z.int().min(1).max(limits.tableShardRowsMax),
  columns: z.array(text).min(1).max(limits.tableColumnsMax),
  x: bytes,
  classes: z.strictObject({ names: z.array(text).max(limits.labelsMax), codes: bytes }).optional(),
  numbers: bytes.optional(),
})

export function encodeTableShard({ index, firstRow, rows, columns, x, label }: TableShard): Uint8Array {
  return encode({
    ...{ version: 1, index, firstRow, rows, columns: [...columns], x: viewOf(x) },
    ...(label?.kind === 'class' && { classes: { names: [...label.names], codes: viewOf(label.codes) } }),
    ...(label?.kind === 'number' && { numbers: viewOf(label.values) }),
  })
}

function viewOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

/** @throws PeerError TABLE_BAD_SHARD */
export function decodeTableShard(block: Uint8Array): TableShard {
  let raw: unknown
  try {
    raw = decode(block)
  } catch (cause) {
    throw badShard('its bytes are damaged', cause)
  }
  const parsed = schema.safeParse(raw)
  if (!parsed.success) throw badShard('its fields are not those expected')
  const { index, firstRow, rows, columns, x, classes, numbers } = parsed.data
  if (x.length !== rows * columns.length * 4) throw badShard('its values are not as many as its rows and columns say')
  if (classes && numbers) throw badShard('it has two labels')
  const label = labelOf(rows, classes, numbers)
  return { index, firstRow, rows, columns, x: new Float32Array(aligned(x)), ...(label && { label }) }
}

function labelOf(
  rows: number,
  classes: { names: string[]; codes: Uint8Array } | undefined,
  numbers: Uint8Array | undefined,
): LabelColumn | undefined {
  if (numbers) {
    if (numbers.length !== rows * 8) throw badShard('its labels are not as many as its rows')
    return { kind: 'number', values: new Float64Array(aligned(numbers)) }
  }
  if (!classes) return undefined
  if (classes.codes.length !== rows * 4) throw badShard('its labels are not as many as its rows')
  const codes = new Uint32Array(aligned(classes.codes))
  if (codes.some(code => code >= classes.names.length)) throw badShard('a label is none of its classes')
  return { kind: 'class', names: classes.names, codes }
}

/** Copied, because numbers must lie at multiples of their size. */
function aligned(part: Uint8Array): ArrayBuffer {
  return new Uint8Array(part).buffer
}

function badShard(problem: string, cause?: unknown): PeerError {
  return new PeerError({
    code: 'TABLE_BAD_SHARD',
    kind: 'protocol',
    message: `a shard of a table cannot be read: ${problem}; the peer that sent it may have another version`,
    cause,
  })
}
