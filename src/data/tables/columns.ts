/** Which of a table's columns are features, and which is the label: by name, or by place where there is no such name. */
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import type { TableOptions } from './options.ts'

export interface ChosenColumns {
  /** Places of the features in a row. */
  features: readonly number[]
  names: readonly string[]
  label: number | undefined
  /** Places of the texts. */
  texts: readonly number[]
  /** Cells of a whole row. */
  width: number
}

/** @throws PeerError TABLE_COLUMNS */
export function chooseColumns(columns: readonly string[], options: TableOptions, file: string): ChosenColumns {
  const label = options.label === undefined ? undefined : place(columns, options.label, file)
  const texts = (options.texts ?? []).map(name => place(columns, name, file))
  const excluded = new Set((options.exclude ?? []).map(name => place(columns, name, file)))
  if (options.exclude && options.features) throw columnsError('--features and --exclude: give one of them')
  const features = options.features
    ? options.features.map(name => place(columns, name, file))
    : columns.map((_, i) => i).filter(i => i !== label && !texts.includes(i) && !excluded.has(i))
  if (features.length + texts.length === 0)
    throw columnsError(`${file} has no column besides its label; there is nothing to learn from`)
  if (features.length > limits.tableColumnsMax) {
    throw columnsError(
      `${file} has ${features.length} columns, at most ${limits.tableColumnsMax} are taken; name fewer features`,
    )
  }
  if (new Set(features).size !== features.length) throw columnsError(`a feature is named twice; name each column once`)
  if (label !== undefined && features.includes(label)) {
    throw columnsError(`"${columns[label]}" is both a feature and the label; take it out of the features`)
  }
  return { features, names: features.map(i => columns[i]), label, texts, width: columns.length }
}

function place(columns: readonly string[], wanted: string, file: string): number {
  const named = columns.indexOf(wanted)
  if (named >= 0) return named
  const counted = /^-?\d+$/.test(wanted) ? Number(wanted) : Number.NaN
  const index = counted < 0 ? columns.length + counted : counted
  if (index >= 0 && index < columns.length) return index
  const known = columns.slice(0, 8).join(', ') + (columns.length > 8 ? ', …' : '')
  throw columnsError(`${file} has no column "${wanted}"; its ${columns.length} columns are ${known}`)
}

function columnsError(message: string): PeerError {
  return new PeerError({ code: 'TABLE_COLUMNS', kind: 'input', message })
}
