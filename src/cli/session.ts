/** How a command reaches a peer: the one that runs with this data folder, else one for the time of the command. */
import type { Command } from 'commander'
import { type Client, connectClient } from '../api/client.ts'
import { PeerError } from '../base/errors.ts'
import { dataFolder, hasMesh, socketPathOf } from '../peer/home.ts'
import type { Peer } from '../peer/peer.ts'
import { plainControl } from './plain.ts'
import { sayIfLong } from './waiting.ts'

export interface CommonOptions {
  data?: string
  verbose?: boolean
}

/** The options that every command takes. */
export function common(command: Command): Command {
  return command
    .option('--data <dir>', "the peer's data folder (default: SHARDMESH_DATA, else ~/.shardmesh)")
    .option('--verbose', 'errors with their stack trace')
}

/** The running peer of this data folder; throws NO_PEER when there is none. */
export async function runningPeer(options: CommonOptions): Promise<Client> {
  const data = dataFolder(options.data)
  return plainControl(await sayIfLong(`the peer of ${data} to answer`, connectClient(socketPathOf(data))))
}

/** Long enough for mDNS to answer on a local network, short enough not to annoy. */
const findPeersMs = 3000

/**
 * A peer in this process. In a mesh that was joined before, the others are waited for a moment; without a
 * mesh this machine computes alone. With `compute` false it only submits.
 */
export async function temporaryPeer(
  options: CommonOptions,
  note: (line: string) => void,
  compute = true,
): Promise<Peer> {
  const data = dataFolder(options.data)
  // Loaded when it is needed: most commands only talk to a running peer, and should be quick.
  const { startPeer } = await import('../peer/peer.ts')
  const joined = await hasMesh(data)
  // It dials and is not dialled: nobody should look for it later.
  const init = { data, mdns: joined, alone: !joined, listen: [], compute, submits: true, passing: true }
  const peer = await sayIfLong(`a peer with ${data} to start`, startPeer({ ...init, onWarning: note }))
  if (!joined) note('no peer runs on this machine and it has joined no mesh: computing here alone')
  else if (!(await peer.waitForPeers(findPeersMs)))
    note(`no other peer of mesh ${peer.home.meshName} was found${compute ? ': computing here alone' : ''}`)
  return plainControl(peer)
}

/**
 * `run` with the running peer, which is let go afterwards.
 * @param lasts `run` may take its time, and says itself what it waits for
 */
export async function withRunningPeer<T>(
  options: CommonOptions,
  run: (client: Client) => Promise<T>,
  lasts = false,
): Promise<T> {
  const client = await runningPeer(options)
  try {
    return await (lasts ? run(client) : sayIfLong('the peer to answer', run(client)))
  } finally {
    await client.close()
  }
}

export function isNoPeer(thrown: unknown): boolean {
  return thrown instanceof PeerError && thrown.code === 'NO_PEER'
}
