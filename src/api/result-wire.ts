/** A result's items as lines of JSON and back: blocks of numbers and files go as base64, which JSON has no better word for. */
import { PeerError } from '../base/errors.ts'
import { type Column, decodeRows, encodeRows } from '../jobs/workloads/rows/result.ts'
import type { ResultItem } from '../peer/control.ts'

export function resultToWire(item: ResultItem): unknown {
  if (item.type === 'rows') return { type: 'rows', block: Buffer.from(encodeRows(item.rows)).toString('base64') }
  if (item.type === 'bytes') return { type: 'bytes', bytes: Buffer.from(item.bytes).toString('base64') }
  return item
}

/** Why the rest of a result does not come. */
export function faultToWire(thrown: unknown): unknown {
  return { type: 'fault', error: PeerError.from(thrown, { code: 'RESULT_FAILED', kind: 'resource' }).toJSON() }
}

/** Reads the lines in their order: rows are as the columns before them say. Throws PeerError where they are not, and the peer's own. */
export function createResultReader(): (line: string) => ResultItem {
  let columns: Column[] | undefined
  return line => {
    const item = JSON.parse(line)
    if (item.type === 'fault') throw new PeerError(item.error)
    if (item.type === 'columns') columns = item.columns
    if (item.type === 'bytes') return { type: 'bytes', bytes: new Uint8Array(Buffer.from(item.bytes, 'base64')) }
    if (item.type !== 'rows') return item
    if (!columns) {
      throw new PeerError({ code: 'API_FAILED', kind: 'protocol', message: 'the peer sent rows without their columns' })
    }
    return { type: 'rows', rows: decodeRows(Buffer.from(item.block, 'base64'), columns) }
  }
}
