/** Joins the rows of the shards, in their order, into parts of about half a block. The bytes depend on the shards' results alone. */
import { limits } from '../../../base/limits.ts'
import type { Merger, MergeSink } from '../workload.ts'
import { type Column, decodeRows, encodeRows, encodeRowsRoot, numberColumns, type Rows, TextColumn } from './result.ts'

/** Bytes of a part, about: keys and texts are counted by their characters. */
const partBytes = limits.blockBytes / 2

/** @param workload what the job is: the result's root says so */
export function rowsMerger(workload: string, columns: readonly Column[], key: 'path' | 'row', sink: MergeSink): Merger {
  const numeric = numberColumns(columns)
  const numericClasses = new Set<string>()
  const parts: string[] = []
  let open = emptyPart(columns)
  let rows = 0
  let errors = 0

  async function flush(): Promise<void> {
    if (open.rows === 0 && open.errors.length === 0) return
    const part = open
    open = emptyPart(columns)
    parts.push(await sink.put(encodeRows(doneOf(part, numeric))))
  }

  return {
    async add(resultBlock) {
      const result = decodeRows(resultBlock, columns)
      for (const name of result.numericClasses) numericClasses.add(name)
      for (let row = 0; row < result.rows; row++) {
        if (open.rows === 0) open.firstRow = result.firstRow + row
        addRow(open, result, row, numeric)
        if (open.bytes >= partBytes) await flush()
      }
      for (const error of result.errors) {
        open.errors.push(error)
        open.bytes += error.path.length + error.reason.length
      }
      rows += result.rows
      errors += result.errors.length
    },

    async end() {
      await flush()
      const classes = [...numericClasses].sort()
      const root = { workload, columns: [...columns], key, rows, errors, numericClasses: classes, parts }
      return sink.put(encodeRowsRoot(root))
    },
  }
}

interface OpenPart {
  keys: string[]
  firstRow: number
  rows: number
  numbers: Float32Array[]
  texts: TextColumn[]
  errors: Rows['errors']
  numericClasses: Set<string>
  bytes: number
}

function emptyPart(columns: readonly Column[]): OpenPart {
  const texts = columns.filter(column => column.kind === 'text').map(() => new TextColumn())
  return { keys: [], firstRow: 0, rows: 0, numbers: [], texts, errors: [], numericClasses: new Set(), bytes: 0 }
}

function addRow(part: OpenPart, from: Rows, row: number, numeric: number): void {
  part.rows++
  part.numbers.push(from.numbers.subarray(row * numeric, (row + 1) * numeric))
  part.bytes += 4 * numeric
  if (from.keys.length > 0) {
    part.keys.push(from.keys[row])
    part.bytes += from.keys[row].length + 2
  }
  part.texts.forEach((column, t) => {
    const { names, places } = from.texts[t]
    column.push(names[places[row]])
    part.bytes += 5
  })
  for (const name of from.numericClasses) part.numericClasses.add(name)
}

function doneOf(part: OpenPart, numeric: number): Rows {
  const numbers = new Float32Array(part.rows * numeric)
  part.numbers.forEach((row, r) => {
    numbers.set(row, r * numeric)
  })
  const { keys, firstRow, rows, errors } = part
  const texts = part.texts.map(column => column.done())
  return { keys, firstRow, rows, numbers, texts, errors, numericClasses: [...part.numericClasses].sort() }
}
