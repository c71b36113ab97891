/** `peer submit score`: models of scikit-learn, XGBoost, LightGBM or PyTorch on the rows of a table. */
import { type Command, Option } from 'commander'
import { type ScoreMerge, scoreMerges } from '../../jobs/workloads/score/spec.ts'
import { each, weights } from '../arguments.ts'
import { allInputs, inputArguments } from '../input-list.ts'
import { modelsText, type SubmitOptions, submitJob, submitOptions } from '../submit-job.ts'
import { type TableArguments, tableOf, tableOptions } from '../table-options.ts'
import { required } from '../usage.ts'

interface ScoreOptions extends SubmitOptions, TableArguments {
  model: string[]
  merge?: ScoreMerge
  weights?: number[]
}

export function addScore(submit: Command): void {
  const command = submit
    .command('score')
    .description('score the rows of a table with one model or several')
    .option('--model <path>', 'an .onnx file; give it once for each of several models', each)
    .addOption(
      new Option(
        '--merge <how>',
        'none; mean of the scores, vote of the best classes, or max (default: mean where several give the same classes)',
      ).choices(scoreMerges),
    )
    .option('--weights <list>', 'a weight a model, such as 2,1', weights)
  inputArguments(command, 'CSV (gzip too), Parquet or NPY files, folders of them, or globs')
  required(command, 'model', '--model <path>, an .onnx file,')
  tableOptions(command, 'mean: it goes to the model as NaN, which trees take for missing')
  submitOptions(command, 'a .csv, .jsonl or .parquet file (default: CSV on standard output)')
    .addHelpText(
      'after',
      `
A model with one input takes all features in their order; one with an input for each column takes them by name, and inputs of
strings take columns of texts as they are. Columns that no model takes are not read.

Examples:
  peer submit score rows.parquet --model forest.onnx --out predictions.parquet
  peer submit score 'data/*.csv.gz' --label species --model trees.onnx --model softmax.onnx --merge vote --out scores.csv`,
    )
    .action(async (named: string[], options: ScoreOptions) => {
      const inputs = await allInputs(named, options)
      const { model: models, merge, weights } = options
      return submitJob({ workload: 'score', inputs, models, merge, weights, table: tableOf(options) }, options, {
        kind: 'rows',
        about: modelsText,
      })
    })
}
