/** `peer status`: what the peer of this data folder is, does and keeps. */
import type { Command } from 'commander'
import pc from 'picocolors'
import bytes from 'pretty-bytes'
import type { Client } from '../../api/client.ts'
import { shortId, shortPeer } from '../../base/ids.ts'
import { oneLine } from '../../peer/event-text.ts'
import { clock, count, plural } from '../format.ts'
import { type CommonOptions, common, withRunningPeer } from '../session.ts'

export function addStatus(peer: Command): void {
  common(peer.command('status'))
    .description('show the running peer: its mesh, backends, jobs under way, disk and log')
    .option('--json', 'machine-readable')
    .addHelpText(
      'after',
      `
Examples:
  peer status
  peer status --json`,
    )
    .action(async (options: CommonOptions & { json?: boolean }) => {
      const state = await withRunningPeer(options, stateOf)
      process.stdout.write(options.json ? `${JSON.stringify(state, null, 2)}\n` : screen(state))
    })
}

export type State = Awaited<ReturnType<typeof stateOf>>

/** Everything that is shown; the token is not among it. */
async function stateOf(client: Client) {
  const [{ token: _, ...info }, peers, jobs, { kept }] = await Promise.all([
    client.info(),
    client.peers(),
    client.jobs(),
    client.gc({ dryRun: true }),
  ])
  return {
    ...info,
    upMs: Date.now() - info.startedMs,
    peers: peers.filter(({ self }) => !self),
    running: jobs.filter(({ outcome }) => !outcome),
    jobsKept: jobs.length,
    disk: kept,
  }
}

function screen(state: State): string {
  const heard = state.peers.filter(({ connected }) => connected)
  const lines: [string, string][] = [
    ['peer', `${pc.bold(state.name)}  ${shortPeer(state.peer)}`],
    ['mesh', state.mesh],
    ['running', `for ${clock(state.upMs)}, process ${state.pid}, version ${state.version}`],
    ...state.addresses.map((address, i): [string, string] => [i === 0 ? 'listens on' : '', place(address)]),
    ...(state.addresses.length === 0 ? [['listens on', 'nothing: it dials others'] as [string, string]] : []),
    ...lanes(state),
    ...(state.paused === undefined ? [] : [['paused', pc.yellow(state.paused)] as [string, string]]),
    ...(state.trouble === undefined ? [] : [['trouble', pc.yellow(state.trouble)] as [string, string]]),
    ['peers heard', heard.length === 0 ? 'none' : heard.map(({ name }) => oneLine(name)).join(', ')],
    ...jobs(state),
    [
      'disk',
      `${bytes(state.disk.bytes)} in blocks, ${bytes(state.disk.evictable)} of it can go; ${plural(state.jobsKept, 'job')} known`,
    ],
    ['data', state.data],
    ['log', state.logFile ?? 'none'],
    ...state.warnings.slice(-3).map((line, i): [string, string] => [i === 0 ? 'warnings' : '', oneLine(line)]),
  ]
  return lines.map(([name, value]) => `  ${pc.dim(name.padEnd(12))}${value}\n`).join('')
}

function lanes({ lanes: all }: State): [string, string][] {
  if (all.length === 0) return [['computes', 'nothing: it has no backend']]
  const devices = new Map<string, number>()
  for (const { device } of all) devices.set(device, (devices.get(device) ?? 0) + 1)
  return [...devices].map(([device, times], i) => [
    i === 0 ? 'computes' : '',
    times === 1 ? device : `${count(times)} × ${device}`,
  ])
}

function jobs({ running }: State): [string, string][] {
  if (running.length === 0) return [['jobs', 'none under way']]
  return running.map((job, i) => {
    const done = job.itemsTotal > 0 ? `, ${count(job.itemsDone)} of ${count(job.itemsTotal)}` : ''
    return [
      i === 0 ? 'jobs' : '',
      `${shortId(job.job)} ${job.workload}, ${job.phase}${done}, by ${oneLine(job.ownerName)}`,
    ]
  })
}

const place = (address: string) => address.replace(/\/p2p\/.*$/, '')
