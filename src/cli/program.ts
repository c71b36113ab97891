/** The command line's tree: one file a command in `commands/`, each adds itself here. `main.ts` runs it. */
import { Command } from 'commander'
import { version } from '../peer/version.ts'
import { addBench } from './commands/bench.ts'
import { addCancel } from './commands/cancel.ts'
import { addCompletion } from './commands/completion.ts'
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
import { pointToHelp, tellUsage } from './usage.ts'

const groups = {
  'This machine as a peer:': [addStart, addStatus, addStop, addToken, addDoctor],
  'The mesh and its jobs:': [addSubmit, addPeers, addJobs, addWatch, addResults, addCancel, addDrop, addGc],
  'Without a mesh:': [addDemo, addInfer, addBench, addCompletion],
}

/** The whole tree, without running any of it. */
export function program(): Command {
  const peer = tellUsage(new Command('peer'))
    .description('Turns the machines you have into one compute mesh.')
    .version(version)
    .configureHelp({ sortSubcommands: false })
    .addHelpText(
      'after',
      `
The usual way:
  peer start                                            on the first machine; prints a join token
  peer start --join TOKEN                               on every other one
  peer submit classify photos --model mobilenet --out predictions.csv

Several peers on one machine have a data folder each: add --data DIR to say which one is meant.`,
    )
  for (const [heading, commands] of Object.entries(groups)) {
    peer.commandsGroup(heading)
    for (const add of commands) add(peer)
  }
  pointToHelp(peer)
  return peer
}
