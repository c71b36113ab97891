/** `peer jobs`: the jobs that this peer has heard of, whoever submitted them. */
import type { Command } from 'commander'
import pc from 'picocolors'
import prettyBytes from 'pretty-bytes'
import { shortId } from '../../base/ids.ts'
import type { JobSummary } from '../../peer/control.ts'
import { clock, count, phaseText, rate, table } from '../format.ts'
import { type CommonOptions, common, withRunningPeer } from '../session.ts'

export function addJobs(peer: Command): void {
  common(peer.command('jobs'))
    .description('list the jobs of the mesh, and what this peer keeps of each on its disk')
    .option('--json', 'machine-readable')
    .action(async (options: CommonOptions & { json?: boolean }) => {
      const { jobs, peers } = await withRunningPeer(options, async client => ({
        jobs: await client.jobs(),
        peers: await client.peers(),
      }))
      if (options.json) process.stdout.write(`${JSON.stringify(jobs, null, 2)}\n`)
      else if (jobs.length === 0)
        process.stdout.write('no jobs yet; peer submit classify FOLDER --model MODEL starts one\n')
      else process.stdout.write(table(head, jobs.map(row)))
      // Why a job is slow, or waits.
      for (const { name, paused } of options.json ? [] : peers) {
        if (paused !== undefined) process.stdout.write(`${pc.red('!')} ${name} is paused: ${paused}\n`)
      }
    })
}

const head = ['JOB', 'KIND', 'STATE', 'DONE', 'ERRORS', 'RATE', 'TIME', 'KEPT', 'COPIES', 'OWNER', 'LEADER']

function row(job: JobSummary): string[] {
  return [
    shortId(job.job),
    job.workload,
    phaseText(job),
    `${count(job.itemsDone)}/${count(job.itemsTotal)}${job.complete ? '' : '+'}`,
    count(job.errors),
    `${rate(job.itemsPerSecond)}/s`,
    clock(job.elapsedMs),
    prettyBytes(job.keptBytes),
    job.copies ? `${job.copies.placed}/${job.copies.wanted}` : '-',
    job.ownerName,
    job.leaderName ?? '-',
  ]
}
