/** `peer demo`: a whole mesh on this machine, with pictures and networks of its own or with one's own. */
import type { Command } from 'commander'
import { each, wholeNumberFrom } from '../arguments.ts'
import type { DemoOptions } from '../demo/run.ts'

export function addDemo(peer: Command): void {
  peer
    .command('demo')
    .description('make a mesh of three peers on this machine, draw pictures, classify them, and show who did what')
    .option('--images <dir>', 'your own images instead (a folder a class gives accuracies)')
    .option('--model <path>', 'your own network instead; give it once for each', each)
    .option('--count <n>', 'pictures to draw', wholeNumberFrom(1, 1_000_000), 3000)
    .option('--peers <n>', 'peers to start', wholeNumberFrom(1, 8), 3)
    .option('--folder <dir>', 'where pictures and predictions go', 'demo-output')
    .option('--verbose', 'errors with their stack trace')
    .addHelpText(
      'after',
      `
Examples:
  peer demo
  peer demo --images photos --model mobilenet --model resnet50.onnx`,
    )
    .action(async (options: DemoOptions) => (await import('../demo/run.ts')).runDemo(options))
}
