/** `peer results JOB`: the merged result of a job that is done, from any peer. */
import type { Command } from 'commander'
import { plural } from '../format.ts'
import { type JobArgument, jobArgument, jobId } from '../job-argument.ts'
import { checkOut, saveResult } from '../save-result.ts'
import { type CommonOptions, common, withRunningPeer } from '../session.ts'
import { rawText } from '../submit-job.ts'
import { sayIfLongTo } from '../waiting.ts'

export function addResults(peer: Command): void {
  jobArgument(common(peer.command('results')))
    .description('fetch the result of a job that is done')
    .option(
      '--out <file>',
      'a file: .csv or .jsonl, of rows .parquet and .npy too, of a model .onnx (default: CSV on standard output)',
    )
    .option('--json', 'JSONL on standard output')
    .option('--raw', rawText)
    .addHelpText(
      'after',
      `
Examples:
  peer results 7f3a --out predictions.csv
  peer results --last --json`,
    )
    .action(
      async (
        id: string | undefined,
        options: CommonOptions & JobArgument & { out?: string; json?: boolean; raw?: boolean },
      ) => {
        if (options.out) await checkOut(options.out)
        await withRunningPeer(
          options,
          async client => {
            const saved = await saveResult(
              sayIfLongTo('the result', client.results(await jobId(client, id, options))),
              options.out,
              {
                format: options.json ? 'jsonl' : 'csv',
                raw: options.raw,
              },
            )
            if (options.out)
              process.stderr.write(
                `  ${saved.what === 'the model is' ? 'the model is' : plural(saved.rows, 'row')} in ${[options.out, ...saved.beside].join(', ')}${saved.errorsFile ? ` · ${saved.errors} unreadable (listed in ${saved.errorsFile})` : ''}\n`,
              )
          },
          true,
        )
      },
    )
}
