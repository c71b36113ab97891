/** `peer submit embed` and `peer submit features`: a row of numbers for each image, by a network or by a method of old. */
import { type Command, Option } from 'commander'
import { type ShardArguments, shardOption } from '../arguments.ts'
import { type FeatureArguments, featureKinds, featureOptions, featuresOf } from '../feature-options.ts'
import { count } from '../format.ts'
import { allInputs, inputArguments } from '../input-list.ts'
import { type SubmitOptions, type SubmitWords, submitJob, submitOptions } from '../submit-job.ts'
import { required } from '../usage.ts'

const out = 'a .csv, .jsonl, .parquet or .npy file (default: CSV on standard output)'

const words: SubmitWords = {
  kind: 'rows',
  about: ({ models: [{ name, labels }] }) => `${name} · ${count(labels)} numbers an image`,
}

export function addEmbed(submit: Command): void {
  addNetwork(submit)
  addFeatures(submit)
}

function addNetwork(submit: Command): void {
  const command = submit
    .command('embed')
    .description('what a network makes of each image: an output, or any value inside it')
    .option('--model <path>', 'an .onnx file, or a folder as Hugging Face exports are')
    .option('--output <name>', "an output's or a node's value, by its name in the graph (default: the first output)")
  inputArguments(command, 'folders (recursive), files or globs')
  required(command, 'model', '--model <path>, an .onnx file or a folder with one,')
  submitOptions(shardOption(command), out)
    .addHelpText(
      'after',
      `
Example:
  peer submit embed photos --model resnet50.onnx --output /avgpool/GlobalAveragePool_output_0 --out photos.npy
.npy holds the numbers alone; the paths are beside it, in photos.paths.txt, a line a row.`,
    )
    .action(async (named: string[], options: SubmitOptions & ShardArguments & { model: string; output?: string }) => {
      const inputs = await allInputs(named, options)
      const { model, output, imagesPerShard: itemsPerShard } = options
      return submitJob({ workload: 'embed', inputs, model, output, itemsPerShard }, options, words)
    })
}

interface FeatureOptions extends SubmitOptions, FeatureArguments, ShardArguments {
  kind: string
}

function addFeatures(submit: Command): void {
  const command = submit
    .command('features')
    .description('features of images: oriented gradients, colours, local patterns')
    .addOption(
      new Option(
        '--kind <kind>',
        'hog: oriented gradients as scikit-image; color-histogram; lbp: local binary patterns',
      ).choices(featureKinds),
    )
  inputArguments(command, 'folders (recursive), files or globs')
  required(command, 'kind', '--kind <kind>, one of hog, color-histogram and lbp,')
  submitOptions(shardOption(featureOptions(command)), out)
    .addHelpText(
      'after',
      `
Example:
  peer submit features photos --kind hog --size 64x128 --out hog.parquet`,
    )
    .action(async (named: string[], options: FeatureOptions) =>
      submitJob(
        {
          workload: 'features',
          inputs: await allInputs(named, options),
          features: featuresOf(options.kind, options),
          itemsPerShard: options.imagesPerShard,
        },
        options,
        words,
      ),
    )
}
