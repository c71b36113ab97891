/** `peer gc`: frees what no job needs on this machine's disk. */
import type { Command } from 'commander'
import prettyBytes from 'pretty-bytes'
import { shortId } from '../../base/ids.ts'
import type { GcReport } from '../../peer/control.ts'
import { plural } from '../format.ts'
import { ageMs } from '../quantities.ts'
import { type CommonOptions, common, withRunningPeer } from '../session.ts'

interface GcOptions extends CommonOptions {
  dryRun?: boolean
  olderThan?: number
  json?: boolean
}

export function addGc(peer: Command): void {
  common(peer.command('gc'))
    .description("free what no job needs on this peer's disk: orphaned blocks, and jobs whose retention is over")
    .option('--dry-run', 'only say what would be freed')
    .option('--older-than <age>', 'give up jobs here that ended longer ago, such as 12h or 2d', ageMs)
    .option('--json', 'machine-readable')
    .addHelpText(
      'after',
      `
Examples:
  peer gc --dry-run
  peer gc --older-than 2d`,
    )
    .action(async (options: GcOptions) => {
      const request = { dryRun: options.dryRun ?? false, olderThanMs: options.olderThan }
      const report = await withRunningPeer(options, client => client.gc(request))
      process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : `${lines(report).join('\n')}\n`)
    })
}

function lines({ jobs, orphans, kept, dryRun }: GcReport): string[] {
  const verb = dryRun ? 'would free' : 'freed'
  return [
    ...jobs.map(({ job, bytes }) => `${verb} ${prettyBytes(bytes)} of job ${shortId(job)}`),
    `${verb} ${prettyBytes(orphans.bytes)} in ${plural(orphans.blocks, 'orphaned block')}`,
    `${prettyBytes(kept.bytes)} kept, ${prettyBytes(kept.evictable)} of it only cached`,
  ]
}
