/** `peer submit train`: mixtures, clusters and linear models of the rows of a table, as an ONNX file. */

import { closeSync, fstatSync, readFileSync } from 'node:fs'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { workingFolder } from '../../base/byte-names.ts'
import { PeerError } from '../../base/errors.ts'
import { openNamedSync } from '../../base/named-file.ts'
import type { TableInit } from '../../data/tables/options.ts'
import { methodNames } from '../../learn/options.ts'
import type { Control } from '../../peer/control.ts'
import { anyNumber, wholeNumber } from '../arguments.ts'
import { type FeatureArguments, featureKinds, featureOptions, featuresOf } from '../feature-options.ts'
import { count, plural } from '../format.ts'
import { allInputs, inputArguments } from '../input-list.ts'
import { type BareRequest, type SubmitOptions, submitJob, submitOptions } from '../submit-job.ts'
import { type TableArguments, tableOf, tableOptions } from '../table-options.ts'
import { type FeatureChoice, featureTable } from '../train-images.ts'

/** Words of the command line -> names of src/learn/options.ts. */
interface TrainArguments extends SubmitOptions, TableArguments, FeatureArguments {
  images?: string
  model?: string
  output?: string
  k?: number
  init?: number[][]
  covariance?: string
  regCovar?: number
  tolerance?: number
  rounds?: number
  solver?: string
  learningRate?: number
  momentum?: number
  batchRows?: number
  epochs?: number
  c?: number
  alpha?: number
  components?: number
  randomised?: boolean
  oversampling?: number
  iterations?: number
  divide?: number
  standardise?: boolean
  seed?: number
  checkpoint?: string
  holdout?: number
}

export function addTrain(submit: Command): void {
  const command = submit
    .command('train')
    .description('train a model on the rows of a table, in rounds over shards that stay where they are')
    .addArgument(submit.createArgument('<method>', 'what to train').choices(methodNames))
    .addOption(
      new Option(
        '--images <features>',
        'the inputs are images, each in a folder that is its class; learn from these features of them, or from what a network makes of them',
      ).choices([...featureKinds, 'network']),
    )
    .option('--model <path>', '--images network: an .onnx file, or a folder as Hugging Face exports are')
    .option('--output <name>', "--images network: one of its outputs, or a node's value (default: the first output)")
    .option('--k <n>', 'kmeans, gmm: clusters or components', wholeNumber)
    .option('--init <file>', 'kmeans, gmm: the centers or means to start from, a JSON file of rows', matrix)
    .addOption(new Option('--covariance <kind>', 'gmm (default: full)').choices(['full', 'tied', 'diag', 'spherical']))
    .option('--reg-covar <x>', 'gmm: added to every variance (default: 1e-6)', anyNumber)
    .option('--components <n>', 'pca: directions kept', wholeNumber)
    .option('--randomised', 'pca: by random projections rather than by the covariance, for many columns')
    .option('--oversampling <n>', 'pca --randomised: directions beyond those that are kept (default: 10)', wholeNumber)
    .option('--iterations <n>', 'pca --randomised: rounds of subspace iteration (default: 12)', wholeNumber)
    .addOption(
      new Option('--solver <name>', 'softmax, svm (default: lbfgs), linear (default: normal)').choices([
        'lbfgs',
        'sgd',
        'adam',
        'normal',
      ]),
    )
    .option('--c <x>', 'softmax, svm: weight of the losses beside the penalty (default: 1)', anyNumber)
    .option('--alpha <x>', 'linear: the penalty of ridge regression (default: 0)', anyNumber)
    .option('--learning-rate <x>', 'sgd, adam (default: 0.01)', anyNumber)
    .option('--momentum <x>', 'sgd (default: 0.9)', anyNumber)
    .option('--batch-rows <n>', 'sgd, adam: rows of a round (default: 4096)', anyNumber)
    .option('--epochs <n>', 'sgd, adam: passes over the data (default: 20)', wholeNumber)
    .option('--tolerance <x>', 'end once a round changes the objective by less than this (docs/guide.md)', anyNumber)
    .option('--rounds <n>', 'end after so many rounds in any case', anyNumber)
    .option('--divide <x>', 'divide all features by this first, such as 255', anyNumber)
    .option('--standardise', 'bring every feature to mean 0 and deviation 1 first')
    .option('--seed <n>', 'of everything random (default: 0)', anyNumber)
    .option(
      '--holdout <share>',
      'softmax, svm: judge the model by this share of the rows, such as 0.2, and learn from the others alone',
      anyNumber,
    )
    .option(
      '--checkpoint <file>',
      'keep the state after each round in this file; where it is there already, go on from it, to the same model',
    )
  inputArguments(command, 'CSV (gzip too), Parquet or NPY files, folders of them, or globs')
  featureOptions(command)
  tableOptions(command, "mean: a missing value is its column's mean, in the model too")
  submitOptions(command, 'an .onnx file; its card (.card.json) and report (.html) are written beside it')
    .addHelpText(
      'after',
      `
The model is an ONNX file that any runtime runs: features in, labels, probabilities or the like out.
The same data and options give the same file, whoever computed it.

Examples:
  peer submit train softmax digits.csv.gz --label -1 --divide 16 --out digits.onnx
  peer submit train gmm rows.parquet --k 32 --covariance diag --out mixture.onnx
  peer submit train linear houses.csv --label price --standardise --alpha 0.1 --out price.onnx
  peer submit train softmax photos --images hog --size 64 --out shapes.onnx    (photos/<class>/<image>)
  peer submit train softmax photos --images network --model resnet50 --output pooled --out mine.onnx
  peer submit classify more --model shapes.onnx --model vit --out predictions.csv`,
    )
    .action(async (method: string, named: string[], options: TrainArguments) => {
      const training = trainOptions(method, options)
      const table = tableOf(options)
      const { checkpoint, holdout } = options
      const features = imagesOf(options)
      const inputs = await allInputs(named, options)
      return submitJob(
        features === undefined
          ? { workload: 'train', inputs, options: training, table, checkpoint, holdout }
          : (control, signal) => ofImages(control, signal, inputs, features, training, table, { checkpoint, holdout }),
        options,
        { kind: 'model', about: ({ models: [{ name, labels }] }) => `${name} · ${count(labels)} features` },
      )
    })
}

/** What is learnt from of images. @throws PeerError INPUT_OPTIONS */
function imagesOf(options: TrainArguments): FeatureChoice | undefined {
  const { images, model, output } = options
  const wrong = (message: string) => new PeerError({ code: 'INPUT_OPTIONS', kind: 'input', message })
  if (images !== 'network' && (model !== undefined || output !== undefined))
    throw wrong('--model and --output are for --images network')
  if (images === undefined) return undefined
  if (images !== 'network') return featuresOf(images, options)
  if (model === undefined)
    throw wrong('--images network learns from what a network makes of the images: name it with --model')
  for (const name of ['size', 'grey', 'orientations', 'cell', 'block', 'bins'] as const) {
    if (options[name] !== undefined)
      throw wrong(`--${name} is not for --images network: the network says how it takes images`)
  }
  return { kind: 'network', model, ...(output !== undefined && { output }) }
}

/** First a job for the images' features, then the training on these. */
async function ofImages(
  control: Control,
  signal: AbortSignal,
  inputs: string[],
  features: FeatureChoice,
  options: Record<string, unknown>,
  { rowsPerShard }: TableInit,
  more: { checkpoint?: string; holdout?: number },
): Promise<{ request: BareRequest; done: () => Promise<void> }> {
  const made = await featureTable(control, { inputs, cwd: workingFolder(), features }, signal)
  const unreadable = made.unreadable > 0 ? ` · ${count(made.unreadable)} unreadable, left out` : ''
  process.stderr.write(
    `  features of ${count(made.images)} images of ${plural(made.classes, 'class', 'classes')}${unreadable}\n`,
  )
  const { table, ...rest } = made.request
  const request = { workload: 'train' as const, options, ...rest, table: { ...table, rowsPerShard }, ...more }
  return { request, done: made.remove }
}

/** Options that were not given keep their defaults, which depend on the method. */
function trainOptions(method: string, given: TrainArguments): Record<string, unknown> {
  const { k, init, covariance, regCovar, tolerance, solver, learningRate, momentum, batchRows, epochs, c } = given
  const { alpha, components, oversampling, iterations, divide, seed } = given
  return {
    method,
    ...{ k, init, covariance, regCovar, tolerance, solver, learningRate, momentum, batchRows, epochs, c },
    ...{ alpha, components, oversampling, iterations, divide, seed },
    ...(given.randomised && { solver: 'randomised' }),
    ...(given.rounds !== undefined && { roundsMax: given.rounds }),
    ...(given.standardise && { standardise: 'standard' }),
  }
}

/** A million numbers as text. */
const initialBytesMax = 64 * 1024 * 1024

/** @throws InvalidArgumentError, for it is read while the options are parsed */
function initialText(file: string): string {
  try {
    const descriptor = openNamedSync(file)
    try {
      if (fstatSync(descriptor).size > initialBytesMax) throw new Error(`${file} is larger than any such file`)
      return readFileSync(descriptor, 'utf8')
    } finally {
      closeSync(descriptor)
    }
  } catch (thrown) {
    throw new InvalidArgumentError(`${thrown instanceof Error ? thrown.message : thrown}.`)
  }
}

/** Rows of numbers; what they must be beyond that, the method says. */
function matrix(file: string): number[][] {
  const text = initialText(file)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new InvalidArgumentError(`${file} cannot be read as JSON.`)
  }
  const rows =
    Array.isArray(value) && value.every(row => Array.isArray(row) && row.every(one => typeof one === 'number'))
  if (!rows) throw new InvalidArgumentError(`${file} holds no rows of numbers, such as [[0, 1], [2, 3]].`)
  return value as number[][] // it was looked at
}
