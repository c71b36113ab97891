/** `peer stop`: asks the running peer to end in order, says what becomes of its jobs, and waits until it is gone. */
import type { Command } from 'commander'
import { PeerError } from '../../base/errors.ts'
import { shortId } from '../../base/ids.ts'
import type { JobSummary, PeerInfo } from '../../peer/control.ts'
import { plural } from '../format.ts'
import { ageMs } from '../quantities.ts'
import { type CommonOptions, common, withRunningPeer } from '../session.ts'
import { sayIfLong } from '../waiting.ts'

/** Beyond the time after which a peer that does not end in order ends itself. */
const timeoutUsual = '20s'
const pollMs = 50

export function addStop(peer: Command): void {
  common(peer.command('stop'))
    .description('end the running peer in order; jobs that others can finish go on without it')
    .option('--timeout <time>', 'how long to wait until it has ended, such as 20s or 2m', ageMs, ageMs(timeoutUsual))
    .addHelpText(
      'after',
      `
Examples:
  peer stop
  peer stop --timeout 5s`,
    )
    .action(stop)
}

async function stop(options: CommonOptions & { timeout: number }): Promise<void> {
  const { info, others, running } = await withRunningPeer(options, async client => {
    const [info, peers, jobs] = await Promise.all([client.info(), client.peers(), client.jobs()])
    await client.stopPeer()
    const others = peers.filter(peer => !peer.self && peer.connected).length
    return { info, others, running: jobs.filter(({ outcome }) => !outcome) }
  })
  for (const job of running) process.stdout.write(`  ${fate(job, info.peer, others)}\n`)
  await sayIfLong(`${info.name} to end what is under way`, gone(info, options.timeout))
  process.stdout.write(`  ${info.name} has left the mesh ${info.mesh}\n`)
}

async function gone(info: PeerInfo, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (isRunning(info.pid)) {
    if (performance.now() > deadline) {
      throw new PeerError({
        code: 'STOP_TIMEOUT',
        kind: 'resource',
        message: `${info.name} (process ${info.pid}) was asked to end and still runs; kill ${info.pid} ends it at once`,
      })
    }
    await new Promise(resolve => setTimeout(resolve, pollMs))
  }
}

function fate({ job, workload, owner, complete }: JobSummary, self: string, others: number): string {
  const what = `job ${shortId(job)} (${workload})`
  if (others === 0) return `${what} waits: no other peer is there, and it goes on when this one starts again`
  if (owner !== self) return `${what} goes on at ${plural(others, 'other peer')}, which take this peer's shards`
  if (!complete) return `${what} waits: this peer still reads its inputs, and goes on when it starts again`
  return `${what} goes on at ${plural(others, 'other peer')} as far as they hold its inputs; the rest waits for this peer`
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM'
  }
}
