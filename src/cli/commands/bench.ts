/** `peer bench`: how fast this machine computes, kernel by kernel or network by network. */
import type { Command } from 'commander'
import { each } from '../arguments.ts'
import type { BenchOptions } from '../bench.ts'
import { common } from '../session.ts'

export function addBench(peer: Command): void {
  common(peer.command('bench'))
    .description('measure how fast this machine computes')
    .option('--kernel <name>', 'only this kernel; once for each', each)
    .option('--model <path>', 'an .onnx file, or a folder with model.onnx; once for each', each)
    .option('--backend <name>', 'wasm (one thread) or webgpu', 'wasm')
    .option('--compare <runtime>', 'run the networks with onnxruntime-web too, on one thread')
    .option('--seconds <number>', 'to spend on each kernel (default 0.3) or network (default 3)')
    .option('--json <file>', 'write everything measured there as well')
    .addHelpText(
      'after',
      `
Without --kernel and --model every kernel is measured, on shapes that networks have.
"of ceiling" is the time that the machine would take at its best, by the time it took.
A network's speed is remembered in the data folder, for the peer's next start.

Examples:
  peer bench
  peer bench --kernel gemm --kernel conv2d-channels-last
  peer bench --model resnet18.onnx --compare onnxruntime-web`,
    )
    .action(async (given: Partial<BenchOptions> & Pick<BenchOptions, 'backend'>) => {
      const options: BenchOptions = { kernel: [], model: [], ...given }
      // Loaded when it is needed: the engine is large, and most commands do without it.
      const { bench, benchText } = await import('../bench.ts')
      const live = process.stderr.isTTY
      const tell = (line: string) => {
        process.stderr.write(live ? `\r\x1b[K${line}` : `${line}\n`)
      }
      const report = await bench(options, tell)
      if (live) process.stderr.write('\r\x1b[K')
      process.stdout.write(benchText(report))
      // Dawn keeps threads, and its teardown has crashed: leave without it.
      if (options.backend === 'webgpu') process.exit(0)
    })
}
