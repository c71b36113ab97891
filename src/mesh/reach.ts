/**
 * A way to a peer: its connection, else a dial, else a call by gossip that it should dial this peer, which helps where
 * one of the two may not be dialled (a firewall, no address). Invariant: one way is sought at a time for each peer.
 */
import type { Connection, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { PeerError } from '../base/errors.ts'
import { type PeerKey, shortPeer } from '../base/ids.ts'
import { waysTo } from './addresses.ts'
import { dial } from './dial.ts'
import { isPeerKey } from './identity.ts'
import type { Members } from './membership/members.ts'
import { callTopic, encodeCall } from './membership/messages.ts'
import type { Node } from './node.ts'
import type { Pipe } from './requests/pipe.ts'
import { streamPipe } from './stream-pipe.ts'

export interface ReachDeps {
  node: Node
  members: () => Members | undefined
  publish: (topic: string, bytes: Uint8Array) => Promise<void>
  /** The protocol of the streams. */
  protocol: string
}

const openMsMax = 10_000
/** A called peer answers within a round of gossip and a handshake. */
const callMs = 3_000
const lookMs = 25

/** A stream to `peer`. Throws PeerError `PEER_UNREACHABLE`. */
export async function openPipe(deps: ReachDeps, peer: PeerKey): Promise<Pipe> {
  if (!isPeerKey(peer)) throw unreachable(peer)
  const signal = AbortSignal.timeout(openMsMax)
  const connection = connectionTo(deps.node, peer) ?? (await connect(deps, peer, signal))
  let stream: Stream
  try {
    stream = await connection.newStream(deps.protocol, { signal })
  } catch (cause) {
    throw unreachable(peer, cause)
  }
  return streamPipe(stream)
}

function connectionTo(node: Node, peer: PeerKey): Connection | undefined {
  return node.getConnections(peerIdFromString(peer)).find(candidate => candidate.status === 'open')
}

async function connect(deps: ReachDeps, peer: PeerKey, signal: AbortSignal): Promise<Connection> {
  const { node } = deps
  const member = deps.members()?.get(peer)
  if (!member || member.left) throw unreachable(peer)
  let failure: unknown
  if (member.addresses.length > 0) {
    try {
      await dial(node, waysTo(peer, member.addresses, node.listening()), signal)
    } catch (thrown) {
      failure = thrown
    }
  }
  const direct = connectionTo(node, peer)
  if (direct) return direct
  // Only one that gossip reaches can be called, and only to an address.
  if (!member.far || node.getMultiaddrs().length === 0) throw failure ?? unreachable(peer)
  await deps.publish(callTopic, encodeCall(peer)).catch(() => {})
  const deadline = performance.now() + callMs
  while (performance.now() < deadline && !signal.aborted) {
    const called = connectionTo(node, peer)
    if (called) return called
    await new Promise(resolve => setTimeout(resolve, lookMs))
  }
  throw failure ?? unreachable(peer)
}

function unreachable(peer: PeerKey, cause?: unknown): PeerError {
  return new PeerError({
    code: 'PEER_UNREACHABLE',
    kind: 'transport',
    message: `${shortPeer(peer)} is not connected: ask another peer, or again once it is back`,
    retry: 'elsewhere',
    details: { peer },
    cause,
  })
}
