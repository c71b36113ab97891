/** `peer jobs`: the jobs that this peer has heard of, the newest first, whoever submitted them. */
import type { Command } from 'commander'
import pc from 'picocolors'
import prettyBytes from 'pretty-bytes'
import stringWidth from 'string-width'
import { shortId } from '../../base/ids.ts'
import type { JobSummary } from '../../peer/control.ts'
import { ago, columns, count, cut, plural, stateText, table, wrapped } from '../format.ts'
import { newestFirst } from '../job-argument.ts'
import { type CommonOptions, common, withRunningPeer } from '../session.ts'

interface JobsOptions extends CommonOptions {
  json?: boolean
  all?: boolean
}

/** More scroll away what one looks for. */
const usual = 20

export function addJobs(peer: Command): void {
  common(peer.command('jobs'))
    .description('list the jobs of the mesh, the newest first, and what this peer keeps of each on its disk')
    .option('--all', `all of them, not the last ${usual} alone`)
    .option('--json', 'machine-readable')
    .addHelpText(
      'after',
      `
DONE counts the inputs of the present round. Beneath each job: its inputs, its models, what this peer keeps of it, and at how
many of the other peers that shall hold a copy there is one.

Examples:
  peer jobs
  peer jobs --all --json`,
    )
    .action(async (options: JobsOptions) => {
      const { jobs, peers } = await withRunningPeer(options, async client => ({
        jobs: newestFirst(await client.jobs()),
        peers: await client.peers(),
      }))
      const shown = options.all ? jobs : jobs.slice(0, usual)
      if (options.json) process.stdout.write(`${JSON.stringify(shown, null, 2)}\n`)
      else if (jobs.length === 0)
        process.stdout.write('no jobs yet; peer submit classify FOLDER --model MODEL starts one\n')
      else process.stdout.write(listing(shown, jobs.length - shown.length))
      // Why a job is slow, or waits.
      for (const { name, paused, trouble } of options.json ? [] : peers) {
        if (paused !== undefined) process.stdout.write(`${pc.red('!')} ${name} is paused: ${paused}\n`)
        if (trouble !== undefined) process.stdout.write(`${pc.red('!')} ${name} ${trouble}\n`)
      }
    })
}

const head = ['JOB', 'KIND', 'STATE', 'NAME', 'DONE', 'SUBMITTED', 'BY']
const nameColumn = head.indexOf('NAME')
/** A name is cut so that the rest fits beside it, and never beyond recognition. */
const nameWidth = { least: 6, most: 30 }
const ownerWidth = 10
const gap = 2

export function listing(jobs: readonly JobSummary[], more: number): string {
  const width = columns()
  const cells = jobs.map(row)
  const others = head.map((title, c) =>
    c === nameColumn ? gap : gap + Math.max(title.length, ...cells.map(one => stringWidth(one[c]))),
  )
  const left = width + gap - others.reduce((sum, one) => sum + one, 0)
  const room = Math.max(nameWidth.least, Math.min(nameWidth.most, left))
  for (const one of cells) one[nameColumn] = cut(one[nameColumn], room)
  const rows = table(head, cells).trimEnd().split('\n')
  const lines = [
    rows[0],
    ...jobs.flatMap((job, i) => [rows[i + 1], ...details(job, width)]),
    ...(more > 0 ? [pc.dim(`${plural(more, 'older job')}: peer jobs --all`)] : []),
  ]
  return `${lines.map(line => line.trimEnd()).join('\n')}\n`
}

function row(job: JobSummary): string[] {
  return [
    shortId(job.job),
    job.workload,
    stateText(job),
    job.title?.name ?? '-',
    doneText(job),
    job.createdMs === undefined ? '-' : ago(Date.now() - job.createdMs),
    cut(job.ownerName, ownerWidth),
  ]
}

function doneText({ itemsDone, itemsTotal, complete }: JobSummary): string {
  if (complete && itemsDone === itemsTotal) return count(itemsDone)
  return `${count(itemsDone)}/${count(itemsTotal)}${complete ? '' : '+'}`
}

const indent = ' '.repeat(10)

/** What does not fit into the row: the reason of a failure on lines of its own. */
function details(job: JobSummary, width: number): string[] {
  const { title, copies } = job
  const parts = [
    title?.inputs,
    title && title.models.length > 0 ? title.models.join(' + ') : undefined,
    job.errors > 0 ? `${count(job.errors)} unreadable` : undefined,
    job.leaderName && !job.outcome ? `led by ${job.leaderName}` : undefined,
    job.keptBytes > 0 ? `keeps ${prettyBytes(job.keptBytes)}` : undefined,
    copies ? `copies ${copies.placed}/${copies.wanted}` : undefined,
  ]
  const text = parts.filter(part => part !== undefined).join(' · ')
  const reason =
    job.phase === 'failed' ? wrapped(`failed: ${job.outcome?.reason ?? 'no reason given'}`, width - 10) : []
  return [
    ...(text ? [pc.dim(indent + cut(text, width - indent.length))] : []),
    ...reason.map(line => indent + pc.red(line)),
  ]
}
