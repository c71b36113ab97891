/**
 * A classification's outcome as one file for the user, CSV or JSON lines by its extension, and beside it a file of
 * the inputs that could not be read. Invariant: a file under its final name is complete; until `close` the rows are
 * in a file of another name beside it, and memory holds one chunk.
 */
import { once } from 'node:events'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import type { Writable } from 'node:stream'
import { stringify } from 'csv-stringify/sync'
import { PeerError } from '../../base/errors.ts'
import { systemCode } from '../store/errors.ts'

export type PredictionsFormat = 'csv' | 'jsonl'

export interface LabelScore {
  label: string
  score: number
}

/** One classified image; every `top` is ordered, the best first. */
export interface PredictionRow {
  path: string
  /** Merged over the models. */
  top: LabelScore[]
  /** In the order of `PredictionsInit.models`. */
  models: { name: string; top: LabelScore[] }[]
}

export interface PredictionsInit {
  /** Ends in `.csv` or `.jsonl`; or a stream, which is left open and gets no errors file. */
  out: string | Writable
  /** For a stream; default `csv`. */
  format?: PredictionsFormat
  /** Names of the models: columns of the CSV. */
  models: string[]
}

/** Each call is awaited before the next. */
export interface PredictionsWriter {
  write(row: PredictionRow): Promise<void>
  /** An input that could not be read; the errors file exists only if there is one. */
  writeError(path: string, reason: string): Promise<void>
  /** Completes the files and puts them in place, over older ones. */
  close(): Promise<PredictionsSummary>
  /** Leaves nothing behind; older files stay. Harmless after `close`. */
  abort(): Promise<void>
}

export interface PredictionsSummary {
  rows: number
  errors: number
  /** Where the errors are, when there are any. */
  errorsFile?: string
}

/** `predictions.errors.csv` for `predictions.csv`, and for `predictions.jsonl` as well. */
export function errorsFileOf(out: string): string {
  return join(dirname(out), `${basename(out, extname(out))}.errors.csv`)
}

/** Throws PeerError of kind `input` when `out` has an extension that is not written. For a check before any work. */
export function predictionsFormat(out: string): PredictionsFormat {
  const extension = extname(out).toLowerCase()
  if (extension === '.csv') return 'csv'
  if (extension === '.jsonl' || extension === '.ndjson') return 'jsonl'
  throw new PeerError({
    code: 'OUTPUT_FORMAT',
    kind: 'input',
    message: `${out} has an extension that is not written: end it in .csv or .jsonl`,
    details: { out },
  })
}

/**
 * Opens the files for writing. Throws PeerError: `input` when the folder is missing or not writable, `resource`
 * when the disk is full, from any of the calls.
 */
export async function openPredictionsWriter(init: PredictionsInit): Promise<PredictionsWriter> {
  const { out, models } = init
  const format = typeof out === 'string' ? predictionsFormat(out) : (init.format ?? 'csv')
  const errorsFile = typeof out === 'string' ? errorsFileOf(out) : undefined
  const header = ['path', 'label', 'score', ...models.flatMap(name => [`${name}_label`, `${name}_score`])]
  const start = format === 'csv' ? stringify([header]) : ''
  const rows = typeof out === 'string' ? await openDraft(out, start) : streamDraft(out, start)
  let errors: Draft | undefined
  const counts = { rows: 0, errors: 0 }
  return {
    async write(row) {
      counts.rows++
      await rows.write(format === 'csv' ? stringify([csvCells(row, models)]) : `${jsonLine(row)}\n`)
    },
    async writeError(path, reason) {
      counts.errors++
      if (errorsFile === undefined) return
      errors ??= await openDraft(errorsFile, stringify([['path', 'reason']]))
      await errors.write(stringify([[path, reason]]))
    },
    async close() {
      await errors?.close()
      await rows.close()
      // An older run's errors would be taken for this one's.
      if (!errors && errorsFile !== undefined) await rm(errorsFile, { force: true })
      return errors ? { ...counts, errorsFile } : { ...counts }
    },
    async abort() {
      await errors?.abort()
      await rows.abort()
    },
  }
}

/** Six significant digits: what float32 arithmetic holds. */
function roundScore(score: number): number {
  return Number(score.toPrecision(6))
}

function csvCells(row: PredictionRow, models: readonly string[]): string[] {
  const byName = new Map(row.models.map(model => [model.name, model.top]))
  const tops = [row.top, ...models.map(name => byName.get(name) ?? [])]
  return [row.path, ...tops.flatMap(([best]) => (best ? [best.label, String(roundScore(best.score))] : ['', '']))]
}

function jsonLine(row: PredictionRow): string {
  const rounded = (top: LabelScore[]) => top.map(({ label, score }) => ({ label, score: roundScore(score) }))
  const models = row.models.map(({ name, top }) => ({ name, top: rounded(top) }))
  return JSON.stringify({ path: row.path, top: rounded(row.top), models })
}

interface Draft {
  write(text: string): Promise<void>
  close(): Promise<void>
  abort(): Promise<void>
}

/** What was written to a stream cannot be taken back; a reader that is slow is waited for. */
function streamDraft(stream: Writable, start: string): Draft {
  let buffer = start
  const flush = async () => {
    const text = buffer
    buffer = ''
    if (!stream.write(text)) await once(stream, 'drain')
  }
  return {
    async write(text) {
      buffer += text
      if (buffer.length >= chunkCharacters) await flush()
    },
    close: flush,
    abort: async () => {},
  }
}

const chunkCharacters = 64 * 1024
let drafts = 0

/** A file that is written under another name and renamed when it is closed. */
async function openDraft(file: string, start: string): Promise<Draft> {
  const draft = join(dirname(file), `.${basename(file)}.${process.pid}-${drafts++}.part`)
  const guarded = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (thrown) {
      throw outputError(file, thrown)
    }
  }
  // Found out now rather than by the rename, after all the work.
  if ((await stat(file).catch(() => undefined))?.isDirectory()) throw outputError(file, undefined, 'EISDIR')
  let handle: FileHandle | undefined = await guarded(open(draft, 'wx'))
  let text = start
  const flush = async () => {
    const chunk = text
    text = ''
    if (handle && chunk) await guarded(handle.writeFile(chunk))
  }
  return {
    async write(more) {
      text += more
      if (text.length >= chunkCharacters) await flush()
    },
    async close() {
      await flush()
      await handle?.close()
      handle = undefined
      await guarded(rename(draft, file))
    },
    async abort() {
      await handle?.close()
      handle = undefined
      await rm(draft, { force: true })
    },
  }
}

function outputError(file: string, thrown: unknown, code: string | undefined = systemCode(thrown)): PeerError {
  const known: Record<string, string> = {
    ENOENT: 'its folder does not exist: make it first',
    ENOTDIR: 'its folder does not exist: make it first',
    EACCES: 'permission denied: choose another place',
    EPERM: 'permission denied: choose another place',
    EROFS: 'the file system is read-only: choose another place',
    EISDIR: 'it is a folder: choose another name',
    EEXIST: 'it is a folder: choose another name',
    ENOTEMPTY: 'it is a folder: choose another name',
    ENOSPC: 'the disk is full: free some space',
    EDQUOT: 'your disk quota is used up: free some space',
  }
  return new PeerError({
    code: 'OUTPUT_UNWRITABLE',
    kind: code === 'ENOSPC' || code === 'EDQUOT' ? 'resource' : 'input',
    message: `cannot write ${file}: ${(code && known[code]) ?? String(thrown)}`,
    details: { file, system: code },
    cause: thrown,
  })
}
