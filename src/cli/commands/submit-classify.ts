/** `peer submit classify`: spreads images over the mesh and writes one file of predictions. */
import { type Command, Option } from 'commander'
import { workingFolder } from '../../base/byte-names.ts'
import { PeerError } from '../../base/errors.ts'
import { type MergeKind, mergeKinds, type ScoreKind, scoreKinds } from '../../jobs/workloads/classify/spec.ts'
import type { Control } from '../../peer/control.ts'
import { each, type ShardArguments, shardOption, weights, wholeNumberFrom } from '../arguments.ts'
import { fitWeights } from '../fit-weights.ts'
import { count } from '../format.ts'
import { allInputs, inputArguments } from '../input-list.ts'
import {
  type BareRequest,
  modelsText,
  type SubmitOptions,
  type SubmitWords,
  submitJob,
  submitOptions,
} from '../submit-job.ts'
import { required } from '../usage.ts'

interface ClassifyOptions extends SubmitOptions, ShardArguments {
  model: string[]
  merge: MergeKind | 'weighted'
  fit?: string[]
  weights?: number[]
  top: number
  labels?: string
  scores?: ScoreKind
}

export function addClassify(submit: Command): void {
  const command = submit
    .command('classify')
    .description('classify images with one network or an ensemble')
    .option(
      '--model <path>',
      'an .onnx file, or a folder as Hugging Face exports are; give it once for each network of an ensemble',
      each,
    )
    .addOption(
      new Option(
        '--merge <how>',
        "mean of the probabilities, vote of the best labels, max: the surest network's, or weighted: a mean with weights that --fit finds",
      )
        .choices([...mergeKinds, 'weighted'])
        .default('mean'),
    )
    .option(
      '--fit <input>',
      'with --merge weighted: images in folders that are called as their labels; may be given several times',
      each,
    )
    .option('--weights <list>', 'a weight a model, such as 2,1', weights)
    .option('--top <k>', 'labels kept for each image, best first (in .jsonl)', wholeNumberFrom(1, 1000), 1)
    .option('--labels <file>', 'one label a line, for networks that bring none')
    .addOption(
      new Option(
        '--scores <kind>',
        "what makes a network's output a probability (default: softmax, or none where it ends in one)",
      ).choices(scoreKinds),
    )
  inputArguments(command, 'folders (recursive), files or globs')
  required(command, 'model', '--model <path>, an .onnx file or a folder with one,')
  submitOptions(shardOption(command), 'a .csv or .jsonl file (default: CSV on standard output)')
    .addHelpText(
      'after',
      `
Examples:
  peer submit classify photos --model mobilenet --out predictions.csv
  peer submit classify a.jpg 'more/**/*.jpg' --model ./vit --model resnet50.onnx --labels labels.txt --merge vote
  peer submit classify photos --model ./vit --model shapes.onnx --merge weighted --fit labelled
The columns are path, label, score, then <model>_label and <model>_score for each model. Images that cannot be
read are listed with the reason in predictions.errors.csv.`,
    )
    .action(async (named: string[], options: ClassifyOptions) => {
      checkWeighted(options)
      const inputs = await allInputs(named, options)
      const { model: models, merge, weights, top, labels, scores, imagesPerShard: itemsPerShard } = options
      const given = { inputs, models, top, labels, scores, itemsPerShard }
      const words: SubmitWords = {
        kind: 'predictions',
        about: submitted => `${modelsText(submitted)} · ${count(submitted.models[0].labels)} labels · merge ${merge}`,
      }
      if (merge !== 'weighted') return submitJob({ workload: 'classify', ...given, merge, weights }, options, words)
      return submitJob((control, signal) => weighted(control, signal, given, options.fit ?? []), options, words)
    })
}

type Given = Omit<Extract<BareRequest, { workload: 'classify' }>, 'workload' | 'merge' | 'weights'>

/** First a job for the models' probabilities of images whose labels are known, then the one that is wanted. */
async function weighted(control: Control, signal: AbortSignal, given: Given, fit: string[]) {
  const { models, labels, scores } = given
  const cwd = workingFolder()
  const fitted = await fitWeights(control, { inputs: fit, cwd, models, labels, scores }, signal)
  const shown = fitted.names.map((name, m) => `${name} ${fitted.weights[m].toFixed(3)}`).join(' · ')
  process.stderr.write(
    `  weights from ${count(fitted.images)} images: ${shown}  (mean log-likelihood ${fitted.before.toFixed(4)} -> ${fitted.after.toFixed(4)})\n`,
  )
  // A weight must be positive: 0 becomes 1e-9.
  const weights = fitted.weights.map(weight => Math.max(weight, 1e-9))
  const request: BareRequest = { workload: 'classify', ...given, merge: 'mean', weights }
  return { request, done: async () => {} }
}

function checkWeighted({ merge, fit, weights }: ClassifyOptions): void {
  const wrong = (message: string) => new PeerError({ code: 'INPUT_OPTIONS', kind: 'input', message })
  if (merge === 'weighted' && !fit)
    throw wrong('--merge weighted fits the weights to images whose labels are known: name them with --fit')
  if (merge === 'weighted' && weights) throw wrong('--merge weighted finds the weights itself: leave --weights out')
  if (merge !== 'weighted' && fit) throw wrong('--fit is for --merge weighted')
}
