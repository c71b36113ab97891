/** The `peer` command line: one file a command in `commands/`, each adds itself to the program here. */
import { Command, CommanderError } from 'commander'
import { version } from '../peer/version.ts'
import { addBench } from './commands/bench.ts'
import { addCancel } from './commands/cancel.ts'
import { addDemo } from './commands/demo.ts'
import { addDoctor } from './commands/doctor.ts'
import { addDrop } from './commands/drop.ts'
import { addGc } from './commands/gc.ts'
import { addInfer } from './commands/infer.ts'
import { addJobs } from './commands/jobs.ts'
import { addPeers } from './commands/peers.ts'
import { addResults } from './commands/results.ts'
import { addStart } from './commands/start.ts'
import { addStatus } from './commands/status.ts'
import { addStop } from './commands/stop.ts'
import { addSubmit } from './commands/submit.ts'
import { addToken } from './commands/token.ts'
import { addWatch } from './commands/watch.ts'
import { exitWith, printError } from './errors.ts'
import { boundYoungGeneration } from './young-generation.ts'

/** Wrong words on the command line exit like any other wrong input. */
const usageExit = 2

function program(): Command {
  const peer = new Command('peer')
    .description('Turns the machines you have into one compute mesh.')
    .version(version)
    .showHelpAfterError('(add --help for what it takes)')
    .configureHelp({ sortSubcommands: false })
    .exitOverride()
    .addHelpText(
      'after',
      `
The usual way:
  peer start                                            on the first machine; prints a join token
  peer start --join TOKEN                               on every other one
  peer submit classify photos --model mobilenet --out predictions.csv

Several peers on one machine have a data folder each: add --data DIR to say which one is meant.`,
    )
  for (const add of [
    addStart,
    addStatus,
    addStop,
    addToken,
    addSubmit,
    addPeers,
    addJobs,
    addWatch,
    addResults,
    addCancel,
    addDrop,
    addGc,
    addInfer,
    addBench,
    addDoctor,
    addDemo,
  ]) {
    add(peer)
  }
  return peer
}

boundYoungGeneration()

// Started by an older Node's launcher: when that one is killed, this one must not stay behind.
if (process.env.SHARDMESH_LAUNCHED && process.channel) {
  process.on('disconnect', () => process.exit(1))
  process.channel.unref() // the listener alone would keep a command that is done from ending
}

// `peer peers | head` closes the pipe early; that is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

try {
  await program().parseAsync()
} catch (thrown) {
  if (thrown instanceof CommanderError) process.exit(thrown.exitCode === 0 ? 0 : usageExit)
  printError(thrown, process.argv.includes('--verbose'))
  process.exit(exitWith(thrown))
}
