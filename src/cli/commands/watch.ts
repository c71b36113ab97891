/** `peer watch JOB`: a job's progress, from any peer. */
import type { Command } from 'commander'
import type { JobSummary } from '../../peer/control.ts'
import { follow, requireFinal } from '../follow.ts'
import { count, phaseText, rate } from '../format.ts'
import { interruptible } from '../interrupt.ts'
import { type JobArgument, jobArgument, jobId } from '../job-argument.ts'
import { shareLines } from '../live.ts'
import { type CommonOptions, common, withRunningPeer } from '../session.ts'

export function addWatch(peer: Command): void {
  jobArgument(common(peer.command('watch')))
    .description('follow a job until it ends; Ctrl-C stops the watching, not the job')
    .option('--json', 'one line of JSON a change')
    .addHelpText(
      'after',
      `
Examples:
  peer watch 7f3a
  peer watch --last`,
    )
    .action(watch)
}

async function watch(id: string | undefined, options: CommonOptions & JobArgument & { json?: boolean }): Promise<void> {
  await withRunningPeer(
    options,
    async client => {
      const abort = interruptible()
      const { job } = await client.job(await jobId(client, id, options))
      if (options.json) {
        let last: JobSummary | undefined
        for await (const summary of client.watch(job, abort.signal)) {
          last = summary
          process.stdout.write(`${JSON.stringify(summary)}\n`)
        }
        if (last?.outcome) requireFinal(last)
        return
      }
      const ended = await follow(client, job, abort.signal)
      if (!ended) return
      const lines = [
        `${phaseText(ended)}  ${count(ended.itemsDone)} items, ${rate(ended.itemsPerSecond)}/s, ${count(ended.errors)} unreadable`,
      ]
      process.stdout.write(`${[...lines, ...shareLines(ended)].map(line => `  ${line}`).join('\n')}\n`)
      requireFinal(ended)
    },
    true,
  )
  process.exit(0) // the signal handlers would keep the process
}
