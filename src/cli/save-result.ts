/** Streams a result into the file that the user asked for, and what belongs to it into files beside it. */
import { access, constants, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'
import type { Writable } from 'node:stream'
import { assert, PeerError } from '../base/errors.ts'
import { errorsFileOf, openDraft, streamDraft } from '../data/writers/draft.ts'
import {
  openPredictionsWriter,
  type PredictionsFormat,
  type PredictionsWriter,
  predictionsFormat,
} from '../data/writers/predictions.ts'
import { openRowsWriter, rowsFormat } from '../data/writers/rows.ts'
import { closeSpecialFile, isSpecialFile, openSpecialFile } from '../data/writers/special-file.ts'
import { trainingReport } from '../data/writers/training-report.ts'
import type { HeldOut } from '../learn/export/held-out.ts'
import { parseModelCard } from '../learn/export/model-card.ts'
import type { ResultItem } from '../peer/control.ts'
import { count } from './format.ts'
import { plain, plainItems } from './plain.ts'

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

/** File systems hold no longer names. */
const nameBytesMax = 255

/** Before any work starts: a name that we can write, in a folder that we can write to. */
export async function checkOut(out: string, kind?: OutKind): Promise<void> {
  if (out === '') throw outError('OUT_MISSING', '--out is empty: give the name of a file, or - for standard output')
  if (out === '-' || (await isSpecialFile(out))) return // a pipe or a device has no extension, and gets CSV
  if (kind === 'predictions') predictionsFormat(out)
  if (kind === 'rows') rowsFormat(out)
  if (kind === 'model' && extname(out).toLowerCase() !== '.onnx')
    throw outError('OUTPUT_FORMAT', `--out ${out}: a trained model is an ONNX file, end its name in .onnx`)
  // The longest name beside it.
  if (Buffer.byteLength(basename(errorsFileOf(out))) > nameBytesMax)
    throw outError(
      'OUT_NAME',
      `--out ${out}: the name is too long, with what is written beside it: choose a shorter one`,
    )
  const there = await stat(out).catch(() => undefined)
  if (there?.isDirectory()) throw outError('OUT_FOLDER', `--out ${out} is a folder: give the name of a file`)
  const folder = dirname(resolve(out))
  const writable = (path: string) =>
    access(path, constants.W_OK).then(
      () => true,
      () => false,
    )
  if (!(await writable(folder)) && !(there && (await writable(out))))
    throw outError('OUT_FOLDER', `--out ${out}: the folder ${folder} does not exist or cannot be written`)
}

export interface SaveOptions {
  /** What standard output, a pipe or a device gets of rows. Default `csv`. */
  format?: PredictionsFormat
  /** CSV: texts as they are, also those that a spreadsheet would run. */
  raw?: boolean
}

/** Writes to `out`; without it to standard output, and what could not be read to standard error. */
export async function saveResult(
  items: AsyncIterable<ResultItem>,
  out: string | undefined,
  options: SaveOptions = {},
): Promise<Saved> {
  if (out === undefined || out === '-')
    return save(process.stdout.isTTY ? plainItems(items) : items, undefined, process.stdout, options)
  if (!(await isSpecialFile(out))) return save(items, out, process.stdout, options)
  const stream = await openSpecialFile(out, () => process.stderr.write(`  waiting for somebody to read from ${out}\n`))
  const saved = await save(items, undefined, stream, options)
  await closeSpecialFile(stream)
  return saved
}

async function save(
  items: AsyncIterable<ResultItem>,
  out: string | undefined,
  stream: Writable,
  options: SaveOptions,
): Promise<Saved> {
  const iterator = items[Symbol.asyncIterator]()
  const first = await iterator.next()
  assert(!first.done, 'a result has a header')
  const rest: AsyncIterable<ResultItem> = { [Symbol.asyncIterator]: () => iterator }
  const { value } = first
  // A result may be of another kind than the file's name: a job is saved by its id.
  if (value.type === 'header') {
    if (out) await checkOut(out, 'predictions')
    return savePredictions(value, rest, { out, stream, ...options })
  }
  if (value.type === 'columns') {
    if (out) await checkOut(out, 'rows')
    return saveRows(value, rest, { out, stream, ...options })
  }
  assert(value.type === 'model', 'a result begins with its header')
  if (out) await checkOut(out, 'model')
  return saveModel(value, rest, out, stream)
}

interface Place extends SaveOptions {
  out: string | undefined
  /** Where it goes without `out`. */
  stream: Writable
}

/** What was changed on the way into the file. */
function markedText(marked = 0): string[] {
  if (marked === 0) return []
  const cells = marked === 1 ? '1 text begins' : `${count(marked)} texts begin`
  return [`${cells} with =, +, - or @ and got an apostrophe, for spreadsheets would run it; --raw leaves it out`]
}

function tellUnreadable(out: string | undefined, { path, reason }: Of<'error'>): void {
  if (!out) process.stderr.write(`  unreadable: ${plain(path)}: ${plain(reason)}\n`)
}

async function savePredictions(
  header: Of<'header'>,
  items: AsyncIterable<ResultItem>,
  { out, stream, format, raw }: Place,
): Promise<Saved> {
  let writer: PredictionsWriter | undefined
  try {
    writer = await openPredictionsWriter({ out: out ?? stream, format, models: header.models, raw })
    for await (const item of items) {
      if (item.type === 'row') await writer.write(item)
      else if (item.type === 'error') {
        tellUnreadable(out, item)
        await writer.writeError(item.path, item.reason)
      }
    }
    const { marked, ...summary } = await writer.close()
    return {
      ...{ what: 'predictions', ...summary, beside: [], told: markedText(marked) },
      numericClasses: header.numericClasses,
    }
  } catch (thrown) {
    await writer?.abort()
    throw thrown
  }
}

async function saveRows(
  { columns, key, rows, numericClasses }: Of<'columns'>,
  items: AsyncIterable<ResultItem>,
  { out, stream, format, raw }: Place,
): Promise<Saved> {
  const writer = await openRowsWriter({ out: out ?? stream, format, columns, key, rows, raw })
  try {
    for await (const item of items) {
      if (item.type === 'rows') await writer.write(item.rows)
      else if (item.type === 'error') {
        tellUnreadable(out, item)
        await writer.writeError(item.path, item.reason)
      }
    }
    const { marked, ...summary } = await writer.close()
    const told = [`${count(columns.length)} columns`, ...markedText(marked)]
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
  stream: Writable,
): Promise<Saved> {
  if (!out && stream === process.stdout && process.stdout.isTTY)
    throw outError('OUT_MISSING', 'a model is no text: give --out FILE.onnx, or send standard output into a file')
  const file = out ? await openDraft(out) : streamDraft(stream)
  const { rows, rounds, objective, history, confusion, method, numericClasses } = model
  try {
    for await (const item of items) if (item.type === 'bytes') await file.write(item.bytes)
    await file.close()
  } catch (thrown) {
    await file.abort()
    throw thrown
  }
  const { notes = [], heldOut } = parseModelCard(model.card, 'the model')
  const told = [modelText(model), ...heldOutText(heldOut, confusion?.names ?? []), ...notes]
  const beside: string[] = []
  if (out) {
    const base = join(dirname(out), basename(out, extname(out)))
    const facts = [
      ['rows', count(rows)],
      ['rounds', count(rounds)],
      [objective.name, String(objective.value ?? 'none')],
      ...(heldOut ? [['held-out rows', `${count(heldOut.rows)} (${heldOut.share} of the table)`] as const] : []),
      ...notes.map(note => ['note', note] as const),
      ...Object.entries(optionsOf(model.card)),
      ['numeric class', numericClasses.join(', ')],
    ] as const
    const report = trainingReport({
      title: `${method}: ${basename(out)}`,
      facts: facts.map(([name, value]) => [name, value] as const),
      objective: objective.name,
      history,
      confusion,
      ...(heldOut && { heldOut }),
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

/** `38 rounds · loss 0.0123 · 98.2% accuracy on the training rows`. */
function modelText({ rounds, objective, confusion, heldOut }: Of<'model'>): string {
  const parts = [`${count(rounds)} ${rounds === 1 ? 'round' : 'rounds'}`]
  if (objective.value !== null) parts.push(`${objective.name} ${Number(objective.value.toPrecision(6))}`)
  if (confusion) {
    const all = confusion.counts.reduce((sum, one) => sum + one, 0)
    const right = confusion.names.reduce((sum, _, i) => sum + confusion.counts[i * (confusion.names.length + 1)], 0)
    const total = all + (heldOut?.unknown ?? 0)
    const on = heldOut ? `${count(heldOut.rows)} held-out rows` : 'the training rows'
    parts.push(total === 0 ? `no row of ${on}` : `${((100 * right) / total).toFixed(2)}% accuracy on ${on}`)
  }
  return parts.join(' · ')
}

/** Classes beyond which a terminal gets no line of them. */
const toldClassesMax = 64
/** Classes beyond which a terminal gets no matrix. */
const matrixClassesMax = 12

/** Recall by class, and the confusion matrix: a row for each class of the data, a column for what the model says. */
function heldOutText(heldOut: HeldOut | undefined, names: readonly string[]): string[] {
  if (!heldOut || names.length > toldClassesMax) return []
  const { recall, confusion, unknown } = heldOut
  const lines = [
    `recall on held-out rows: ${names.map((name, i) => `${name} ${recall[i] === null ? 'no row' : `${(100 * recall[i]).toFixed(1)}%`}`).join(', ')}`,
  ]
  if (unknown > 0)
    lines.push(`${count(unknown)} held-out rows are of classes that no training row has; they count as wrong`)
  if (names.length > matrixClassesMax) return lines
  const cells = [['truth \\ model', ...names], ...confusion.map((line, i) => [names[i], ...line.map(String)])]
  const widths = cells[0].map((_, column) => Math.max(...cells.map(line => line[column].length)))
  return [...lines, ...cells.map(line => line.map((cell, column) => cell.padStart(widths[column])).join('  '))]
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
