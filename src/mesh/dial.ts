/**
 * Dialling, and what a failed dial means: nobody there, another mesh, another peer than expected, or oneself.
 * libp2p wraps and joins errors, so that their texts have to be searched; the most telling one is reported.
 */
import type { Multiaddr } from '@multiformats/multiaddr'
import { PeerError } from '../base/errors.ts'
import type { PeerKey } from '../base/ids.ts'
import { place, waysTo } from './addresses.ts'
import { otherMeshMark } from './admission.ts'
import type { Node } from './node.ts'
import { quickestFirst } from './quickest.ts'

/** Connects to the first of `addresses` that answers; the peer's key. Throws PeerError, see `dialError`. */
export async function dial(node: Node, addresses: Multiaddr[], signal?: AbortSignal): Promise<PeerKey> {
  if (addresses.length === 0) throw nowhere()
  try {
    const connection = await node.dial(await quickestFirst(addresses, signal), { signal })
    return connection.remotePeer.toString()
  } catch (thrown) {
    throw dialError(thrown, [...new Set(addresses.map(place))].join(', '))
  }
}

const handshakeMs = 4_000

/** Whether `peer` itself answers at `address`, by a connection of its own, which is closed where there is another one. */
export async function answersAt(node: Node, peer: PeerKey, address: string): Promise<boolean> {
  const signal = AbortSignal.timeout(handshakeMs)
  const isConnected = node.getConnections().some(({ remotePeer }) => remotePeer.toString() === peer)
  for (const way of waysTo(peer, [address])) {
    try {
      const connection = await node.dial(way, { force: true, signal })
      if (isConnected) connection.abort(new Error('it was only to be seen who is there'))
      return true
    } catch {
      // Another peer, another mesh, another program, or nobody any more.
    }
  }
  return false
}

/** Nothing is known of where it is, or only addresses of this peer itself. */
const nowhere = () =>
  new PeerError({
    code: 'PEER_UNREACHABLE',
    kind: 'transport',
    message: 'no address of it leads to another machine: start it with --announce and an address that others can dial',
    retry: 'later',
  })

/** `DIALLED_SELF`, `OTHER_MESH` (kind `input`), `OTHER_PEER`, or `PEER_UNREACHABLE` (kind `transport`). */
export function dialError(thrown: unknown, address: string): PeerError {
  const reasons = reasonsOf(thrown)
  const says = (pattern: RegExp | string) =>
    reasons.some(reason => (typeof pattern === 'string' ? reason.includes(pattern) : pattern.test(reason)))
  const details = { address }
  if (says(/dial self/i)) {
    return new PeerError({ code: 'DIALLED_SELF', kind: 'input', message: `${address} is this peer itself`, details })
  }
  if (says(otherMeshMark)) {
    return new PeerError({
      code: 'OTHER_MESH',
      kind: 'input',
      message: `${address} refused the connection: it belongs to another mesh; check the join token`,
      details,
      cause: thrown,
    })
  }
  if (says('does not match expected remote identity key')) {
    return new PeerError({
      code: 'OTHER_PEER',
      kind: 'transport',
      message: `another peer answers at ${address} than the join token names: ask for a new token with \`peer token\``,
      details,
      cause: thrown,
    })
  }
  return new PeerError({
    code: 'PEER_UNREACHABLE',
    kind: 'transport',
    message: `cannot reach ${address} (${shortReason(reasons)}): check that the peer runs and that no firewall is between`,
    retry: 'later',
    details,
    cause: thrown,
  })
}

function reasonsOf(thrown: unknown): string[] {
  if (thrown instanceof AggregateError) return thrown.errors.flatMap(reasonsOf)
  if (!(thrown instanceof Error)) return [String(thrown)]
  return [thrown.message, ...(thrown.cause === undefined ? [] : reasonsOf(thrown.cause))]
}

const shortReasons: [RegExp, string][] = [
  [/ECONNREFUSED/, 'nobody listens there'],
  [/EHOSTUNREACH|ENETUNREACH/, 'no route to it'],
  [/ENOTFOUND|EAI_AGAIN/, 'its name is unknown'],
  [/timed? ?out|abort/i, 'no answer'],
  [/ECONNRESET|EOF|closed|reset/i, 'it closed the connection'],
  [/protocol selection|unsupported/i, 'it is not a shardmesh peer'],
]

function shortReason(reasons: string[]): string {
  for (const [pattern, text] of shortReasons) if (reasons.some(reason => pattern.test(reason))) return text
  return reasons[0]?.split('\n')[0].slice(0, 120) ?? 'no reason given'
}
