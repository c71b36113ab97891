/** `peer submit classify`: spreads images over the mesh and writes one file of predictions. */
import { type Command, Option } from 'commander'
import { type MergeKind, mergeKinds, type ScoreKind, scoreKinds } from '../../jobs/workloads/classify/spec.ts'
import { weights, wholeNumber } from '../arguments.ts'
import { count } from '../format.ts'
import { modelsText, type SubmitOptions, submitJob, submitOptions } from '../submit-job.ts'

interface ClassifyOptions extends SubmitOptions {
  model: string[]
  merge: MergeKind
  weights?: number[]
  top: number
  labels?: string
  scores?: ScoreKind
}

export function addClassify(submit: Command): void {
  const command = submit
    .command('classify')
    .description('classify images with one network or an ensemble')
    .argument('<input...>', 'folders (recursive), files or globs')
    .requiredOption(
      '--model <path...>',
      'an .onnx file, or a folder as Hugging Face exports are; repeat for an ensemble',
    )
    .addOption(
      new Option('--merge <how>', "mean of the probabilities, vote of the best labels, or max: the surest network's")
        .choices(mergeKinds)
        .default('mean'),
    )
    .option('--weights <list>', 'a weight a model, such as 2,1', weights)
    .option('--top <k>', 'labels kept for each image, best first (in .jsonl)', wholeNumber, 1)
    .option('--labels <file>', 'one label a line, for networks that bring none')
    .addOption(
      new Option(
        '--scores <kind>',
        "what makes a network's output a probability (default: softmax, or none where it ends in one)",
      ).choices(scoreKinds),
    )
  submitOptions(command, 'a .csv or .jsonl file (default: CSV on standard output)')
    .addHelpText(
      'after',
      `
Examples:
  peer submit classify photos --model mobilenet --out predictions.csv
  peer submit classify a.jpg 'more/**/*.png' --model ./vit --model resnet50.onnx --labels labels.txt --merge vote
The columns are path, label, score, then <model>_label and <model>_score for each model. Images that cannot be
read are listed with the reason in predictions.errors.csv.`,
    )
    .action((inputs: string[], options: ClassifyOptions) => {
      const { model: models, merge, weights, top, labels, scores } = options
      return submitJob({ workload: 'classify', inputs, models, merge, weights, top, labels, scores }, options, {
        kind: 'predictions',
        about: submitted => `${modelsText(submitted)} · ${count(submitted.models[0].labels)} labels · merge ${merge}`,
      })
    })
}
