/** How a table is read: its columns, what is missing, what is malformed, and where it is cut. */
import { z } from 'zod'
import { limits } from '../../base/limits.ts'
import { withoutDefaults } from '../../base/without-defaults.ts'
import { isEncoding } from './csv-text.ts'

const column = z.string().min(1).max(limits.cellCharsMax)

export const tableOptionsSchema = z.strictObject({
  /** Columns to learn from, by name or by place (0 the first, -1 the last). Default: all but the label and texts. */
  features: z.array(column).max(limits.tableColumnsMax).optional(),
  /** Columns that are no features, by name or by place; exclusive with `features`. */
  exclude: z.array(column).min(1).max(limits.tableColumnsMax).optional(),
  /** Columns read as texts, by name or by place; they are features only where these are named too. */
  texts: z.array(column).min(1).max(limits.tableColumnsMax).optional(),
  /** The column that tells a row's class or number, by name or by place. */
  label: column.optional(),
  /** A class is any text; a number is what a regression should give. */
  labelKind: z.enum(['class', 'number']).default('class'),
  /** CSV: `auto` takes the first row for names if none of its cells is a number. */
  header: z.enum(['auto', 'yes', 'no']).default('auto'),
  /** CSV: lines before the table. */
  skipLines: z.int().min(0).max(1_000_000).default(0),
  /** CSV: of a file without a byte order mark, by the names of the WHATWG, such as `latin1`. Default: UTF-8. */
  encoding: z.string().refine(isEncoding, 'no encoding of this name is known, such as latin1 or utf-16le').optional(),
  /** CSV: default a comma, in `.tsv` files a tab. */
  delimiter: z.string().length(1).optional(),
  /** CSV: what stands before a number's decimals; a comma wants another delimiter, or quotes. */
  decimal: z.enum(['.', ',']).default('.'),
  /** `error` names the first place where a feature is missing; `mean` fills it with the mean of the column's others. */
  missing: z.enum(['error', 'mean']).default('error'),
  /** Rows that cannot be read: the first one is an error, or all are left out and counted. */
  badRows: z.enum(['error', 'skip']).default('error'),
  /** A shard has at most this many rows. Default: about 8 MiB of features. */
  rowsPerShard: z.int().min(1).max(limits.tableShardRowsMax).optional(),
})

export type TableOptions = z.output<typeof tableOptionsSchema>
/** As a caller writes them: what has a default may be left out. */
export type TableInit = z.input<typeof tableOptionsSchema>
/** As a request carries them: what was not given stays absent until `parseTableOptions`, where the job knows its own defaults. */
export const tableInitSchema = withoutDefaults(tableOptionsSchema)

/** What came of the rows. Filled while a table is read. */
export interface TableReport {
  rows: number
  skipped: number
  /** Why the first of those that were left out were. */
  reasons: string[]
  /** Files that the folders hold besides, and the first of them. */
  passedOver?: { files: number; first?: string }
}

/** Reasons that are kept. */
export const reasonsMax = 100

export function newReport(): TableReport {
  return { rows: 0, skipped: 0, reasons: [] }
}
