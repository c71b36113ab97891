/** `peer drop JOB`: gives up a job that is over, and its result, on every peer. */
import type { Command } from 'commander'
import prettyBytes from 'pretty-bytes'
import { shortId } from '../../base/ids.ts'
import { type JobArgument, jobArgument, jobId } from '../job-argument.ts'
import { type CommonOptions, common, withRunningPeer } from '../session.ts'

export function addDrop(peer: Command): void {
  jobArgument(common(peer.command('drop')))
    .description('give up a job that is over, and its result, on every peer; only the peer that submitted it may')
    .option('--json', 'machine-readable')
    .addHelpText(
      'after',
      `
Example:
  peer drop 7f3a`,
    )
    .action(async (id: string | undefined, options: CommonOptions & JobArgument & { json?: boolean }) => {
      const job = await withRunningPeer(options, async client => client.drop(await jobId(client, id, options)))
      process.stdout.write(
        options.json
          ? `${JSON.stringify(job, null, 2)}\n`
          : `job ${shortId(job.job)} dropped: ${prettyBytes(job.keptBytes)} freed here, and what the other peers keep of it\n`,
      )
    })
}
