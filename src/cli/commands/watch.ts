/** `peer watch JOB`: a job's progress, from any peer. */
import type { Command } from 'commander'
import { follow, interruptible } from '../follow.ts'
import { count, phaseText, rate } from '../format.ts'
import { shareLines } from '../live.ts'
import { type CommonOptions, common, withRunningPeer } from '../session.ts'

export function addWatch(peer: Command): void {
  common(peer.command('watch'))
    .description('follow a job until it ends; Ctrl-C stops the watching, not the job')
    .argument('<job>', "the job's id, or the beginning of it")
    .option('--json', 'one line of JSON a change')
    .action(watch)
}

async function watch(id: string, options: CommonOptions & { json?: boolean }): Promise<void> {
  await withRunningPeer(options, async client => {
    const abort = interruptible()
    const { job } = await client.job(id)
    if (options.json) {
      for await (const summary of client.watch(job, abort.signal)) process.stdout.write(`${JSON.stringify(summary)}\n`)
      return
    }
    const ended = await follow(client, job, abort.signal)
    if (!ended) return
    const lines = [
      `${phaseText(ended)}  ${count(ended.itemsDone)} items, ${rate(ended.itemsPerSecond)}/s, ${count(ended.errors)} unreadable`,
    ]
    process.stdout.write(`${[...lines, ...shareLines(ended)].map(line => `  ${line}`).join('\n')}\n`)
  })
  process.exit(0) // the signal handlers would keep the process
}
