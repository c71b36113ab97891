/** Streams a result into the file that the user asked for, and what belongs to it into files beside it. */
import { access, constants, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { assert, PeerError } from '../base/errors.ts'
import { openDraft, streamDraft } from '../data/writers/draft.ts'
import {
  openPredictionsWriter,
  type PredictionsFormat,
  type PredictionsWriter,
  predictionsFormat,
} from '../data/writers/predictions.ts'
import { openRowsWriter, rowsFormat } from '../data/writers/rows.ts'
import { trainingReport } from '../data/writers/training-report.ts'
import type { ResultItem } from '../peer/control.ts'
import { count } from './format.ts'

/** `predictions`: labels of images; `rows`: columns; `model`: an ONNX file. */
export type OutKind = 'predictions' | 'rows' | 'model'

export interface Saved {
  /** For people: `predictions`. */
  what: string
  rows: number
  errors: number
  errorsFile?: string
  /** Other files of the result. */
  beside: string[]
  /** Lines for people about what came out. */
  told: string[]
  numericClasses: string[]
}

type Of<T extends ResultItem['type']> = Extract<ResultItem, { type: T }>

function outError(code: string, message: string): PeerError {
  return new PeerError({ code, kind: 'input', message })
}

/** Before any work starts: a name that we can write, in a folder that we can write to. */
export async function checkOut(out: string, kind?: OutKind): Promise<void> {
  if (kind === 'predictions') predictionsFormat(out)
  if (kind === 'rows') rowsFormat(out)
  if (kind === 'model' && extname(out).toLowerCase() !== '.onnx')
    throw outError('OUTPUT_FORMAT', `--out ${out}: a trained model is an ONNX file, end its name in .onnx`)
  const folder = dirname(resolve(out))
  await access(folder, constants.W_OK).catch(() => {
    throw outError('OUT_FOLDER', `--out ${out}: the folder ${folder} does not exist or cannot be written`)
  })
  const there = await stat(out).catch(() => undefined)
  if (there?.isDirectory()) throw outError('OUT_FOLDER', `--out ${out} is a folder: give the name of a file`)
}

/** Writes to `out`; without it to standard output in `format`, and what could not be read to standard error. */
export async function saveResult(
  items: AsyncIterable<ResultItem>,
  out: string | undefined,
  format: PredictionsFormat = 'csv',
): Promise<Saved> {
  const iterator = items[Symbol.asyncIterator]()
  const first = await iterator.next()
  assert(!first.done, 'a result has a header')
  const rest: AsyncIterable<ResultItem> = { [Symbol.asyncIterator]: () => iterator }
  const { value } = first
  // A result may be of another kind than the file's name: a job is saved by its id.
  if (value.type === 'header') {
    if (out) await checkOut(out, 'predictions')
    return savePredictions(value, rest, out, format)
  }
  if (value.type === 'columns') {
    if (out) await checkOut(out, 'rows')
    return saveRows(value, rest, out, format)
  }
  assert(value.type === 'model', 'a result begins with its header')
  if (out) await checkOut(out, 'model')
  return saveModel(value, rest, out)
}

function tellUnreadable(out: string | undefined, { path, reason }: Of<'error'>): void {
  if (!out) process.stderr.write(`  unreadable: ${path}: ${reason}\n`)
}

async function savePredictions(
  header: Of<'header'>,
  items: AsyncIterable<ResultItem>,
  out: string | undefined,
  format: PredictionsFormat,
): Promise<Saved> {
  let writer: PredictionsWriter | undefined
  try {
    writer = await openPredictionsWriter({ out: out ?? process.stdout, format, models: header.models })
    for await (const item of items) {
      if (item.type === 'row') await writer.write(item)
      else if (item.type === 'error') {
        tellUnreadable(out, item)
        await writer.writeError(item.path, item.reason)
      }
    }
    const summary = await writer.close()
    return { what: 'predictions', ...summary, beside: [], told: [], numericClasses: header.numericClasses }
  } catch (thrown) {
    await writer?.abort()
    throw thrown
  }
}

async function saveRows(
  { columns, key, rows, numericClasses }: Of<'columns'>,
  items: AsyncIterable<ResultItem>,
  out: string | undefined,
  format: PredictionsFormat,
): Promise<Saved> {
  const writer = await openRowsWriter({ out: out ?? process.stdout, format, columns, key, rows })
  try {
    for await (const item of items) {
      if (item.type === 'rows') await writer.write(item.rows)
      else if (item.type === 'error') {
        tellUnreadable(out, item)
        await writer.writeError(item.path, item.reason)
      }
    }
    const summary = await writer.close()
    const told = [`${count(columns.length)} columns`]
    return { what: 'rows', ...summary, beside: [], told, numericClasses }
  } catch (thrown) {
    await writer.abort()
    throw thrown
  }
}

/** The model, its card and its report: `digits.onnx`, `digits.card.json`, `digits.html`. */
async function saveModel(
  model: Of<'model'>,
  items: AsyncIterable<ResultItem>,
  out: string | undefined,
): Promise<Saved> {
  if (!out && process.stdout.isTTY)
    throw outError('OUT_MISSING', 'a model is no text: give --out FILE.onnx, or send standard output into a file')
  const file = out ? await openDraft(out) : streamDraft(process.stdout)
  const { rows, rounds, objective, history, confusion, method, numericClasses } = model
  try {
    for await (const item of items) if (item.type === 'bytes') await file.write(item.bytes)
    await file.close()
  } catch (thrown) {
    await file.abort()
    throw thrown
  }
  const told = [modelText(model)]
  const beside: string[] = []
  if (out) {
    const base = join(dirname(out), basename(out, extname(out)))
    const facts = [
      ['rows', count(rows)],
      ['rounds', count(rounds)],
      [objective.name, String(objective.value ?? 'none')],
      ...Object.entries(optionsOf(model.card)),
      ['numeric class', numericClasses.join(', ')],
    ] as const
    const report = trainingReport({
      title: `${method}: ${basename(out)}`,
      facts: facts.map(([name, value]) => [name, value] as const),
      objective: objective.name,
      history,
      confusion,
    })
    for (const [name, text] of [
      [`${base}.card.json`, `${JSON.stringify(JSON.parse(model.card), null, 2)}\n`],
      [`${base}.html`, report],
    ]) {
      const draft = await openDraft(name, text)
      await draft.close()
      beside.push(name)
    }
  }
  return { what: 'the model is', rows, errors: 0, beside, told, numericClasses }
}

/** `38 rounds · loss 0.0123 · 98.2% of the rows taken for what they are`. */
function modelText({ rounds, objective, confusion }: Of<'model'>): string {
  const parts = [`${count(rounds)} ${rounds === 1 ? 'round' : 'rounds'}`]
  if (objective.value !== null) parts.push(`${objective.name} ${Number(objective.value.toPrecision(6))}`)
  if (confusion) {
    const all = confusion.counts.reduce((sum, one) => sum + one, 0)
    const right = confusion.names.reduce((sum, _, i) => sum + confusion.counts[i * (confusion.names.length + 1)], 0)
    parts.push(`${((100 * right) / Math.max(1, all)).toFixed(2)}% of the rows taken for what they are`)
  }
  return parts.join(' · ')
}

/** The training's options as a person would read them; long ones are told by their size. */
function optionsOf(card: string): Record<string, string> {
  const { options } = JSON.parse(card) as { options: Record<string, unknown> }
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value)
      return [name, text.length > 120 ? `given (${Array.isArray(value) ? value.length : text.length} of them)` : text]
    }),
  )
}
