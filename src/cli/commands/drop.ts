/** `peer drop JOB`: gives up a job that is over, and its result, on every peer. */
import type { Command } from 'commander'
import prettyBytes from 'pretty-bytes'
import { shortId } from '../../base/ids.ts'
import { type CommonOptions, common, withRunningPeer } from '../session.ts'

export function addDrop(peer: Command): void {
  common(peer.command('drop'))
    .description('give up a job that is over, and its result, on every peer; only the peer that submitted it may')
    .argument('<job>', "the job's id, or the beginning of it")
    .option('--json', 'machine-readable')
    .action(async (id: string, options: CommonOptions & { json?: boolean }) => {
      const job = await withRunningPeer(options, client => client.drop(id))
      process.stdout.write(
        options.json
          ? `${JSON.stringify(job, null, 2)}\n`
          : `job ${shortId(job.job)} dropped: ${prettyBytes(job.keptBytes)} freed here, and what the other peers keep of it\n`,
      )
    })
}
