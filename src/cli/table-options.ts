/** The options of commands that read tables, and what they come to. */
import { type Command, Option } from 'commander'
import type { TableInit } from '../data/tables/options.ts'
import { anyNumber, names, wholeNumberFrom } from './arguments.ts'

export interface TableArguments {
  features?: string[]
  exclude?: string[]
  label?: string
  header?: 'auto' | 'yes' | 'no'
  delimiter?: string
  decimal?: '.' | ','
  encoding?: string
  skipLines?: number
  strict?: boolean
  skipBadRows?: boolean
  missing?: 'error' | 'mean'
  rowsPerShard?: number
}

/** @param missing what `--missing mean` means here */
export function tableOptions(command: Command, missing: string): Command {
  return command
    .option('--features <columns>', 'columns to read, by name or place, such as height,width (default: all)', names)
    .option('--exclude <columns>', 'columns that are no features, by name or place, such as id,date', names)
    .option('--label <column>', 'the column that says what a row is; it is not among the features')
    .addOption(
      new Option('--missing <how>', `error: the first missing value ends the job (the default); ${missing}`).choices([
        'error',
        'mean',
      ]),
    )
    .option('--strict', 'the first row that cannot be read ends the job, with its file, line and reason (the default)')
    .addOption(new Option('--skip-bad-rows', 'leave rows out that cannot be read, and count them').conflicts('strict'))
    .addOption(
      new Option('--header <how>', 'CSV: whether the first row holds names (default: auto)').choices([
        'auto',
        'yes',
        'no',
      ]),
    )
    .option(
      '--rows-per-shard <n>',
      'smaller shards spread a small table further (default: about 8 MiB of numbers)',
      anyNumber,
    )
    .option('--encoding <name>', 'CSV: of a file that is not UTF-8, such as latin1, windows-1252 or shift_jis')
    .option('--skip-lines <n>', 'CSV: lines before the table', wholeNumberFrom(0, 1_000_000))
    .addOption(
      new Option('--decimal <character>', "CSV: what stands before a number's decimals (default: .)").choices([
        '.',
        ',',
      ]),
    )
    .option('--delimiter <character>', 'CSV: what separates cells (default: a comma, in .tsv a tab)')
}

/** What was not given stays absent: the job has defaults of its own. */
export function tableOf(given: TableArguments): TableInit {
  const {
    features,
    exclude,
    label,
    header,
    delimiter,
    decimal,
    encoding,
    skipLines,
    strict,
    skipBadRows,
    missing,
    rowsPerShard,
  } = given
  const badRows = skipBadRows ? 'skip' : strict ? 'error' : undefined
  return { features, exclude, label, header, delimiter, decimal, encoding, skipLines, missing, rowsPerShard, badRows }
}
