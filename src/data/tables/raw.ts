/** Rows as a file has them, before anybody knows which columns count. */

/** A cell: text of a CSV file, or a value that has a type already. Null and undefined are missing. */
export type Cell = string | number | bigint | boolean | null | undefined

export interface RawRow {
  cells: readonly Cell[]
  /** For errors: a CSV file's line, else the row; the first is 1. */
  line: number
  /** Why it is no row. */
  bad?: string
}

/** Some rows of one file, with the file's column names. */
export interface RawBatch {
  columns: readonly string[]
  rows: readonly RawRow[]
}

/** What an error calls a place in a CSV file, or in another. */
export type PlaceWord = 'line' | 'row'
