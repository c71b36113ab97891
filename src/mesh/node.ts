/**
 * The libp2p node beneath a mesh: which parts it is made of, and libp2p's errors as ours. Every setting that
 * differs from libp2p's default says why.
 */
import { type GossipSub, gossipsub } from '@chainsafe/libp2p-gossipsub'
import { createTopicScoreParams } from '@chainsafe/libp2p-gossipsub/score'
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { yamux } from '@libp2p/yamux'
import type { Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { PeerError } from '../base/errors.ts'
import type { PeerKey } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { announcedAddresses } from './addresses.ts'
import { admission } from './admission.ts'
import { forgeriesKept } from './conduct/forgeries.ts'
import { identityKey, peerKeyOf } from './identity.ts'
import { callTopic, heartbeatTopic, reportTopic } from './membership/messages.ts'
import { tcpTransport } from './transport.ts'

export type Node = Libp2p<{ identify: Identify; pubsub: GossipSub }> & {
  /** Where it listens, loopback too, without its id; `getMultiaddrs` are the addresses that others are told. */
  listening(): Multiaddr[]
}

/** On these gossipsub counts what is forged; a peer that forges on others alone does no harm. */
const watchedTopics = [heartbeatTopic, reportTopic, callTopic]
/** Of gossipsub's own scores; the others judge how much a neighbour passes on, which in a closed mesh says nothing of it. */
const onlyForgeries = {
  topicWeight: 1,
  timeInMeshWeight: 0,
  firstMessageDeliveriesWeight: 0,
  meshMessageDeliveriesWeight: 0,
  meshFailurePenaltyWeight: 0,
  invalidMessageDeliveriesWeight: -1,
  invalidMessageDeliveriesDecay: forgeriesKept,
}

export interface NodeInit {
  identity: Uint8Array
  secret: Uint8Array
  /** Multiaddrs; none: the node only dials. */
  listen: string[]
  /** Multiaddrs that others are told besides, first: a forwarded port, a name. */
  announce?: string[]
  /** Someone dialled and did not finish the handshake. */
  refused: (from: string) => void
  /** Another end of a connection proved this peer's own identity: this process itself, or a copy. */
  metSelf?: (direction: 'outbound' | 'inbound', address: string) => void
  /** With whom there is to be no connection now, in either direction; absent: with nobody. */
  denies?: (peer: PeerKey) => boolean
}

/** A node that has not started: handlers are registered first. Throws PeerError `BAD_IDENTITY`. */
export async function createNode(init: NodeInit): Promise<Node> {
  const { transport, listening } = tcpTransport()
  const self = peerKeyOf(init.identity)
  const node = await createLibp2p({
    start: false,
    privateKey: identityKey(init.identity),
    // libp2p tells a public address only once somebody confirmed it; here who listens knows best.
    addresses: {
      listen: init.listen,
      announceFilter: () => announcedAddresses({ self, announce: init.announce, listening }),
    },
    transports: [transport],
    connectionEncrypters: [admission({ secret: init.secret, refused: init.refused, metSelf: init.metSelf, self })],
    streamMuxers: [
      // In flight a stream: 1 MiB at once, as yamux widens a window only when it knows the round trip, 30 s later;
      // 4 MiB suffice for 1 Gbit/s over 30 ms, and more would only add delay.
      yamux({
        streamOptions: {
          initialStreamWindowSize: 1024 * 1024,
          maxStreamWindowSize: limits.messageBytesMax,
          maxReadBufferLength: 2 * limits.messageBytesMax,
        },
      }),
    ],
    // Only when the handshake is over is it known who is there.
    connectionGater: {
      denyDialPeer: peer => init.denies?.(peer.toString()) ?? false,
      denyInboundEncryptedConnection: peer => init.denies?.(peer.toString()) ?? false,
      denyOutboundEncryptedConnection: peer => init.denies?.(peer.toString()) ?? false,
    },
    connectionManager: {
      // Five a second by default, and all peers of one machine or router count as one host.
      inboundConnectionThreshold: 64,
      maxIncomingPendingConnections: 64,
      dialTimeout: 12_000,
      // `dial` has them in the order in which they answered.
      addressSorter: () => 0,
      // A machine that is busy takes seconds over a handshake.
      addressDialTimeout: 8_000,
      // Membership redials.
      reconnectRetries: 0,
      connectionCloseTimeout: 300,
    },
    // Heartbeats watch the connections; libp2p's monitor would drop a peer that is busy for 6 s.
    connectionMonitor: { enabled: false },
    services: {
      identify: identify({ protocolPrefix: 'shardmesh' }),
      pubsub: gossipsub({
        globalSignaturePolicy: 'StrictSign',
        emitSelf: false,
        // Each copy costs both ends together 0.3 ms; with the default degree of 6, five copies are redundant.
        ...{ D: 4, Dlo: 3, Dhi: 6, Dout: 1, Dscore: 2, Dlazy: 3, floodPublish: false },
        // A message comes from several neighbours, and its signature is checked once. What lacks either is refused later.
        fastMsgIdFn: ({ from, seqno }) => (from && seqno ? Buffer.concat([from, seqno]).toString('latin1') : ''),
        // A lone peer's heartbeat is no error.
        allowPublishToZeroTopicPeers: true,
        // Ten peers on one machine would otherwise count as one attacker, and get nothing.
        scoreParams: {
          IPColocationFactorWeight: 0,
          topics: Object.fromEntries(watchedTopics.map(topic => [topic, createTopicScoreParams(onlyForgeries)])),
        },
        maxInboundDataLength: limits.gossipBytesMax + 4096,
      }),
    },
  })
  return Object.assign(node, { listening })
}

/** Listens on `listen`. Throws PeerError `PORT_IN_USE`, `LISTEN_DENIED` or `LISTEN_FAILED`, naming the address. */
export async function startNode(node: Node, listen: string[]): Promise<void> {
  try {
    await node.start()
  } catch (thrown) {
    throw listenError(thrown, listen)
  }
}

/** libp2p lists every address that failed with its reason in one text; the first of ours that it names is reported. */
function listenError(thrown: unknown, listen: string[]): PeerError {
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  const address = listen.find(candidate => text.includes(candidate)) ?? listen.join(', ')
  const details = { address }
  if (text.includes('EADDRINUSE')) {
    return new PeerError({
      code: 'PORT_IN_USE',
      kind: 'resource',
      message: `cannot listen on ${address}: the port is in use; stop the program that has it, or choose another port with --port or --listen`,
      details,
      cause: thrown,
    })
  }
  if (text.includes('EACCES')) {
    return new PeerError({
      code: 'LISTEN_DENIED',
      kind: 'resource',
      message: `cannot listen on ${address}: not permitted; choose a port above 1023 with --listen`,
      details,
      cause: thrown,
    })
  }
  return new PeerError({
    code: 'LISTEN_FAILED',
    kind: 'resource',
    message: `cannot listen on ${address}: this machine has no such address, or TCP cannot use it; choose another with --listen`,
    details,
    cause: thrown,
  })
}
