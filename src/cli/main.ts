/** The `peer` command line: one file a command in `commands/`, each adds itself to the program here. */
import { CommanderError } from 'commander'
import { givenArguments } from '../base/byte-names.ts'
import { exitWith, printError } from './errors.ts'
import { heedNohup } from './interrupt.ts'
import { program } from './program.ts'
import { boundYoungGeneration } from './young-generation.ts'

/** Wrong words on the command line exit like any other wrong input. */
const usageExit = 2

boundYoungGeneration()
heedNohup()

// Started by an older Node's launcher: when that one is killed, this one must not stay behind.
if (process.env.SHARDMESH_LAUNCHED && process.channel) {
  process.on('disconnect', () => process.exit(1))
  process.channel.unref() // the listener alone would keep a command that is done from ending
}

// `peer peers | head` closes the pipe early; that is not an error. A full disk behind `>` is one.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  printError(
    new Error(`cannot write to standard output (${error.code ?? error.message}): what was written is cut short`),
    false,
  )
  process.exit(1)
})
// Nobody can be told.
process.stderr.on('error', () => {})

try {
  await program().parseAsync(givenArguments(process.argv.slice(2)), { from: 'user' })
} catch (thrown) {
  if (!(thrown instanceof CommanderError)) {
    printError(thrown, process.argv.includes('--verbose'))
    process.exit(exitWith(thrown))
  }
  // Help was asked for, and is still being written.
  if (thrown.exitCode !== 0) process.exit(usageExit)
}
