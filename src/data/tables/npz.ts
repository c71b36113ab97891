/**
 * NumPy's `.npz`: several arrays with one number of rows, side by side. A matrix `x` gives the columns x0, x1, …; a vector `y` the
 * column y. The zip reader is the package fflate; what the archive declares is bounded before anything is unpacked.
 */
import { unzipSync } from 'fflate'
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import type { NpyArray } from '../npy.ts'
import { readNpy } from '../readers/npy.ts'
import { openInput } from '../readers/read-file.ts'
import type { Cell, RawBatch, RawRow } from './raw.ts'

const batchRows = 1024

/** Arrays of one archive. */
const arraysMax = 64

interface Member {
  width: number
  data: NpyArray['data']
}

/** @throws PeerError INPUT_NPY, TABLE_UNREADABLE, TABLE_COLUMNS, TABLE_TOO_LARGE */
export async function* readNpzTable(file: string, name: string): AsyncIterable<RawBatch> {
  const opened = await openInput(file)
  const content = 'error' in opened ? opened : await opened.read()
  if (!('bytes' in content) || content.bytes === undefined) {
    throw new PeerError({
      code: 'TABLE_UNREADABLE',
      kind: 'input',
      message: `${name}: ${content.error}; check the file`,
    })
  }
  const columns: string[] = []
  const members: Member[] = []
  let rows: number | undefined
  for (const [path, bytes] of Object.entries(unpack(content.bytes, name))) {
    const member = path.replace(/\.npy$/, '')
    const { type, dims, data } = readNpy(bytes, `${name}, ${member}`)
    const fits = dims.length >= 1 && dims.length <= 2 && (rows === undefined || dims[0] === rows) && type !== 'float16'
    if (!fits) {
      throw new PeerError({
        code: 'TABLE_COLUMNS',
        kind: 'input',
        message: `${name}: "${member}" is ${type} [${dims.join(', ')}], no columns beside the others; save matrices and vectors of equally many rows`,
      })
    }
    rows = dims[0]
    const width = dims[1] ?? 1
    for (let i = 0; i < width; i++) columns.push(dims.length === 1 ? member : `${member}${i}`)
    members.push({ width, data })
  }
  for (let first = 0; first < (rows ?? 0); first += batchRows) {
    const batch: RawRow[] = []
    for (let row = first; row < Math.min(rows ?? 0, first + batchRows); row++) {
      const cells: Cell[] = []
      for (const { width, data } of members) for (let i = row * width; i < (row + 1) * width; i++) cells.push(data[i])
      batch.push({ cells, line: row + 1 })
    }
    yield { columns, rows: batch }
  }
}

/** The archive's arrays, as bytes of .npy files, in its order. */
function unpack(bytes: Uint8Array, name: string): Record<string, Uint8Array> {
  let [total, count] = [0, 0]
  try {
    return unzipSync(bytes, {
      filter(entry) {
        if (!entry.name.endsWith('.npy')) return false
        total += entry.originalSize
        count++
        if (total <= 4 * limits.tableShardValuesMax && count <= arraysMax) return true
        throw new PeerError({
          code: 'TABLE_TOO_LARGE',
          kind: 'input',
          message: `${name} holds more than ${(4 * limits.tableShardValuesMax) / 1024 / 1024} MiB or ${arraysMax} arrays; save it in parts, or as Parquet`,
        })
      },
    })
  } catch (cause) {
    if (cause instanceof PeerError) throw cause
    throw new PeerError({
      code: 'TABLE_UNREADABLE',
      kind: 'input',
      message: `${name} is no whole .npz file; save it again with numpy.savez`,
      cause,
    })
  }
}
