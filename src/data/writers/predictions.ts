/**
 * A classification's outcome as one file for the user, CSV or JSON lines by its extension, and beside it a file of
 * the inputs that could not be read. Invariant: a file under its final name is complete; until `close` the rows are
 * in a file of another name beside it, and memory holds one chunk.
 */
import { rm } from 'node:fs/promises'
import { extname } from 'node:path'
import type { Writable } from 'node:stream'
import { stringify } from 'csv-stringify/sync'
import { PeerError } from '../../base/errors.ts'
import { cellWriter } from './csv-cells.ts'
import { type Draft, errorsFileOf, openDraft, streamDraft } from './draft.ts'

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
  /** CSV: texts as they are, also those that a spreadsheet would run. Default false: see csv-cells.ts. */
  raw?: boolean
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
  /** Texts of the CSV that got an apostrophe, because a spreadsheet would run them. */
  marked?: number
  /** Where the errors are, when there are any. */
  errorsFile?: string
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
  const cells = cellWriter(init.raw)
  const safe = (text: string) => cells.cell(text)
  const format = typeof out === 'string' ? predictionsFormat(out) : (init.format ?? 'csv')
  const errorsFile = typeof out === 'string' ? errorsFileOf(out) : undefined
  const header = ['path', 'label', 'score', ...models.flatMap(name => [`${name}_label`, `${name}_score`])].map(safe)
  const start = format === 'csv' ? stringify([header]) : ''
  const rows = typeof out === 'string' ? await openDraft(out, start) : streamDraft(out, start)
  let errors: Draft | undefined
  const counts = { rows: 0, errors: 0 }
  return {
    async write(row) {
      counts.rows++
      await rows.write(format === 'csv' ? stringify([csvCells(row, models).map(safe)]) : `${jsonLine(row)}\n`)
    },
    async writeError(path, reason) {
      counts.errors++
      if (errorsFile === undefined) return
      errors ??= await openDraft(errorsFile, stringify([['path', 'reason']]))
      await errors.write(stringify([[path, reason].map(safe)]))
    },
    async close() {
      await errors?.close()
      await rows.close()
      // An older run's errors would be taken for this one's.
      if (!errors && errorsFile !== undefined) await rm(errorsFile, { force: true })
      const { marked } = cells
      const told = marked > 0 ? { ...counts, marked } : { ...counts }
      return errors ? { ...told, errorsFile } : told
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
