/** `peer cancel JOB`: on the peer that submitted it. */
import type { Command } from 'commander'
import { shortId } from '../../base/ids.ts'
import { type JobArgument, jobArgument, jobId } from '../job-argument.ts'
import { type CommonOptions, common, withRunningPeer } from '../session.ts'

export function addCancel(peer: Command): void {
  jobArgument(common(peer.command('cancel')))
    .description('cancel a job; only the peer that submitted it may')
    .option('--json', 'machine-readable')
    .addHelpText(
      'after',
      `
Example:
  peer cancel 7f3a`,
    )
    .action(async (id: string | undefined, options: CommonOptions & JobArgument & { json?: boolean }) => {
      const job = await withRunningPeer(options, async client => client.cancel(await jobId(client, id, options)))
      process.stdout.write(
        options.json
          ? `${JSON.stringify(job, null, 2)}\n`
          : `job ${shortId(job.job)} ${job.phase === 'cancelled' ? 'cancelled' : `is ${job.phase} already`}\n`,
      )
    })
}
