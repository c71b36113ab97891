/** `peer peers`: who is in the mesh, what each computes with, how quick and how busy it is. */
import type { Command } from 'commander'
import pc from 'picocolors'
import { shortPeer } from '../../base/ids.ts'
import type { PeerView } from '../../peer/control.ts'
import { oneLine } from '../../peer/event-text.ts'
import { rate, table } from '../format.ts'
import { type CommonOptions, common, withRunningPeer } from '../session.ts'

export function addPeers(peer: Command): void {
  common(peer.command('peers'))
    .description('list the peers of the mesh')
    .addHelpText(
      'after',
      `
HEARD says when a peer was heard last, or for how long it is gone.

Examples:
  peer peers
  peer peers --json`,
    )
    .option('--json', 'machine-readable')
    .action(async (options: CommonOptions & { json?: boolean }) => {
      const peers = await withRunningPeer(options, client => client.peers())
      process.stdout.write(options.json ? `${JSON.stringify(peers, null, 2)}\n` : table(head, peers.map(row)))
    })
}

const head = ['NAME', 'PEER', 'DEVICE', 'ITEMS/S', 'LOAD', 'HEARD', 'VERSION', 'ADDRESS']

/** When it was heard, or why it is not; and how often it broke the rules, where it did. */
function heard({ self, connected, lastHeardMs, offences, refusedMs }: PeerView): string {
  if (self) return '-'
  if (refusedMs > 0) return pc.red(`refused for ${Math.ceil(refusedMs / 1000)} s: broke the rules ${offences} times`)
  const when = connected
    ? `${(lastHeardMs / 1000).toFixed(1)} s ago`
    : pc.red(`gone ${(lastHeardMs / 1000).toFixed(0)} s`)
  return offences === 0 ? when : `${when}, ${offences} bad messages`
}

function deviceText({ device, paused, trouble }: PeerView): string {
  if (paused !== undefined) return pc.red(`paused: ${paused}`)
  return trouble === undefined ? device : pc.red(trouble)
}

function row(peer: PeerView): string[] {
  return [
    peer.self ? pc.bold(`${peer.name} (this)`) : peer.name,
    shortPeer(peer.peer),
    deviceText(peer),
    peer.itemsPerSecond > 0 ? rate(peer.itemsPerSecond) : '-',
    String(peer.load),
    heard(peer),
    oneLine(peer.version),
    peer.addresses[0]?.replace(/\/p2p\/.*$/, '') ?? '-',
  ]
}
