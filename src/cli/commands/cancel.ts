/** `peer cancel JOB`: on the peer that submitted it. */
import type { Command } from 'commander'
import { shortId } from '../../base/ids.ts'
import { type CommonOptions, common, withRunningPeer } from '../session.ts'

export function addCancel(peer: Command): void {
  common(peer.command('cancel'))
    .description('cancel a job; only the peer that submitted it may')
    .argument('<job>', "the job's id, or the beginning of it")
    .option('--json', 'machine-readable')
    .action(async (id: string, options: CommonOptions & { json?: boolean }) => {
      const job = await withRunningPeer(options, client => client.cancel(id))
      process.stdout.write(
        options.json
          ? `${JSON.stringify(job, null, 2)}\n`
          : `job ${shortId(job.job)} ${job.phase === 'cancelled' ? 'cancelled' : `is ${job.phase} already`}\n`,
      )
    })
}
