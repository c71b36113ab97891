/** `peer infer`: one network on arrays, on this machine alone; results as .npy files, and the time of each stage. */
import type { Command } from 'commander'
import { each } from '../arguments.ts'
import type { InferOptions } from '../infer.ts'
import { precisionOption } from '../precision.ts'
import { common } from '../session.ts'
import { required } from '../usage.ts'

export function addInfer(peer: Command): void {
  const command = common(peer.command('infer'))
    .argument('<model>', 'an .onnx file, or a folder with model.onnx')
    .description('run one network on arrays, on this machine')
    .option('--input <name=file.npy>', 'an input; once for each', each)
    .option('--out <dir>', 'where the outputs go, one .npy each')
    .addHelpText(
      'after',
      `
Example:
  peer infer model.onnx --input pixel_values=x.npy --out results
The outputs are results/<name>.npy; texts are .json. The time of each stage is printed.`,
    )
    .option('--backend <name>', 'wasm or webgpu', 'wasm')
    .addOption(precisionOption())
    .option('--json', 'machine-readable')
  required(command, 'out', '--out <dir>, a folder for the outputs,').action(
    async (path: string, options: InferOptions) => {
      // Loaded when it is needed: the engine is large, and most commands do without it.
      const { infer, inferText } = await import('../infer.ts')
      const report = await infer(path, options)
      process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : inferText(report))
      // Dawn keeps threads, and its teardown has crashed: leave without it.
      if (options.backend === 'webgpu') process.exit(0)
    },
  )
}
