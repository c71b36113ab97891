/** NumPy's matrices as tables: rows by columns, without names. A vector is one column. */
import { PeerError } from '../../base/errors.ts'
import type { NpyArray } from '../npy.ts'
import { readNpy } from '../readers/npy.ts'
import { openInput } from '../readers/read-file.ts'
import type { Cell, RawBatch, RawRow } from './raw.ts'

const batchRows = 1024

/** @throws PeerError INPUT_NPY, TABLE_UNREADABLE, TABLE_COLUMNS */
export async function* readNpyTable(file: string, name: string): AsyncIterable<RawBatch> {
  const opened = await openInput(file)
  const content = 'error' in opened ? opened : await opened.read()
  if (content.error !== undefined) {
    throw new PeerError({
      code: 'TABLE_UNREADABLE',
      kind: 'input',
      message: `${name}: ${content.error}; check the file`,
    })
  }
  if (!('bytes' in content) || content.bytes === undefined) return
  const array = readNpy(content.bytes, name)
  if (array.type === 'float16' || array.dims.length < 1 || array.dims.length > 2) {
    throw new PeerError({
      code: 'TABLE_COLUMNS',
      kind: 'input',
      message: `${name} holds ${array.type} [${array.dims.join(', ')}], no table; save a matrix of float32 or float64`,
    })
  }
  yield* batches(array)
}

function* batches({ dims, data }: NpyArray): Iterable<RawBatch> {
  const width = dims[1] ?? 1
  const columns = Array.from({ length: width }, (_, i) => `column${i}`)
  for (let first = 0; first < dims[0]; first += batchRows) {
    const rows: RawRow[] = []
    for (let row = first; row < Math.min(dims[0], first + batchRows); row++) {
      const cells: Cell[] = []
      for (let at = row * width; at < (row + 1) * width; at++) cells.push(data[at])
      rows.push({ cells, line: row + 1 })
    }
    yield { columns, rows }
  }
}
