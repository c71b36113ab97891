/**
 * NumPy's matrices as tables: rows by columns, without names. A vector is one column. A file in C order is read piece by piece;
 * one in Fortran order, whose rows lie apart, whole.
 */
import type { FileHandle } from 'node:fs/promises'
import { PeerError } from '../../base/errors.ts'
import { openNamed } from '../../base/named-file.ts'
import type { NpyArray } from '../npy.ts'
import { checkNpyBytes, decodeNpy, type NpyHeader, npyHeadBytesMax, readNpy, readNpyHeader } from '../readers/npy.ts'
import { openInput } from '../readers/read-file.ts'
import type { Cell, RawBatch, RawRow } from './raw.ts'

const batchRows = 1024
const pieceBytes = 4 * 1024 * 1024

/** @throws PeerError INPUT_NPY, TABLE_UNREADABLE, TABLE_COLUMNS */
export async function* readNpyTable(file: string, name: string): AsyncIterable<RawBatch> {
  let handle: FileHandle | undefined
  try {
    handle = await openNamed(file, name)
    const { size } = await handle.stat()
    const head = await bytesAt(handle, 0, Math.min(size, npyHeadBytesMax), name)
    // However long: only in Fortran order is it in memory as a whole, and then bounded where it is read.
    const header = readNpyHeader(head, name, Number.MAX_SAFE_INTEGER)
    checkMatrix(header, name)
    checkNpyBytes(header, size - header.start, name)
    const columns = Array.from({ length: header.dims[1] ?? 1 }, (_, i) => `column${i}`)
    if (header.fortran) yield* batches(await readWhole(file, name), columns, 0)
    else yield* pieces(handle, header, columns, name)
  } catch (thrown) {
    if (thrown instanceof PeerError) throw thrown
    throw unreadable(name, 'it cannot be read', thrown)
  } finally {
    await handle?.close()
  }
}

function checkMatrix({ type, dims }: NpyHeader, name: string): void {
  if (type !== 'float16' && dims.length >= 1 && dims.length <= 2) return
  throw new PeerError({
    code: 'TABLE_COLUMNS',
    kind: 'input',
    message: `${name} holds ${type} [${dims.join(', ')}], no table; save a matrix of float32 or float64`,
  })
}

async function* pieces(
  handle: FileHandle,
  header: NpyHeader,
  columns: readonly string[],
  name: string,
): AsyncIterable<RawBatch> {
  const [rows, width = 1] = header.dims
  const rowBytes = width * header.elementBytes
  const pieceRows = Math.max(1, Math.floor(pieceBytes / Math.max(1, rowBytes)))
  for (let first = 0; first < rows; first += pieceRows) {
    const count = Math.min(pieceRows, rows - first)
    const bytes = await bytesAt(handle, header.start + first * rowBytes, count * rowBytes, name)
    yield* batches(decodeNpy(header, bytes, [count, width]), columns, first)
  }
}

/** @param before rows of the file that come before these */
function* batches({ dims, data }: NpyArray, columns: readonly string[], before: number): Iterable<RawBatch> {
  const width = columns.length
  for (let first = 0; first < dims[0]; first += batchRows) {
    const rows: RawRow[] = []
    for (let row = first; row < Math.min(dims[0], first + batchRows); row++) {
      const cells: Cell[] = []
      for (let at = row * width; at < (row + 1) * width; at++) cells.push(data[at])
      rows.push({ cells, line: before + row + 1 })
    }
    yield { columns, rows }
  }
}

async function bytesAt(handle: FileHandle, position: number, length: number, name: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, position + filled)
    if (bytesRead === 0) throw unreadable(name, 'it changed while it was read')
    filled += bytesRead
  }
  return bytes
}

async function readWhole(file: string, name: string): Promise<NpyArray> {
  const opened = await openInput(file)
  const content = 'error' in opened ? opened : await opened.read()
  if (content.error !== undefined || !('bytes' in content)) throw unreadable(name, content.error ?? 'it is empty')
  return readNpy(content.bytes, name)
}

function unreadable(name: string, problem: string, cause?: unknown): PeerError {
  return new PeerError({
    code: 'TABLE_UNREADABLE',
    kind: 'input',
    message: `${name}: ${problem}; check the file`,
    cause,
  })
}
