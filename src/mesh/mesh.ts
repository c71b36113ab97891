/**
 * A mesh of peers that hold one secret: composes the libp2p node, admission, membership, gossip and requests.
 *
 * ```ts
 * const mesh = await startMesh({ identity, secret, status, listen: ['/ip4/0.0.0.0/tcp/4601'], dial: [], mdns: true })
 * mesh.on('up', peer => …)
 * mesh.serve('/shardmesh/block/1', async (from, body) => …)
 * const reply = await mesh.request(peer, '/shardmesh/block/1', body)
 * ```
 */
import type { PeerId } from '@libp2p/interface'
import { PeerError } from '../base/errors.ts'
import type { PeerKey } from '../base/ids.ts'
import { asMultiaddrs, checkAddress, peerOf } from './addresses.ts'
import { serviceTag } from './admission.ts'
import { createJudge, type Judge } from './conduct/judge.ts'
import { answersAt, dial } from './dial.ts'
import { createDiscovery, type Discovery } from './discovery/discovery.ts'
import { createEmitter, type Emitter } from './events.ts'
import { createGossip, type Gossip } from './gossip.ts'
import { peerKeyOf } from './identity.ts'
import { createJoin, dialUntilFound, type Join } from './join.ts'
import { createHeart, type Heart } from './membership/heart.ts'
import { createMembers, type Members, nowMs } from './membership/members.ts'
import { membershipConfig } from './membership/membership-config.ts'
import {
  aliveProtocol,
  byeProtocol,
  callTopic,
  checkStatus,
  decodeCall,
  decodeReport,
  heartbeatTopic,
  helloProtocol,
  newsProtocol,
  partProtocol,
  reportTopic,
  wire,
} from './membership/messages.ts'
import { createNode, type Node, startNode } from './node.ts'
import { encodeOldReply, encodeReply, oldProbeProtocol, probeProtocol, probeReach, tryAll } from './probe.ts'
import { openPipe } from './reach.ts'
import { createRequests, type Requests } from './requests/requests.ts'
import { streamPipe } from './stream-pipe.ts'
import { createTwins, type Twins } from './twins.ts'
import type { Mesh, MeshInit } from './types.ts'

/** Every request of one peer to another goes over one stream of this protocol. */
const streamProtocol = '/shardmesh/requests/1'
/** One stream is usual; a second one lives while the first is being found dead. */
const streamsMax = 4
const byeMs = 300
const stopMsMax = 1_500
const nothing = new Uint8Array(0)

/**
 * Joins, or makes, the mesh of `init.secret`. Resolves when this peer listens; others are found afterwards.
 * Throws PeerError `PORT_IN_USE`, `LISTEN_DENIED`, `LISTEN_FAILED`, `BAD_ADDRESS`, `BAD_IDENTITY` or `BAD_STATUS`.
 */
export async function startMesh(init: MeshInit): Promise<Mesh> {
  const status = checkStatus(init.status)
  const self = peerKeyOf(init.identity)
  const listen = init.listen.map(checkAddress)
  const seeds = seedsOf(self, init.dial.map(checkAddress))
  const emitter = createEmitter()
  let members: Members | undefined
  const statusOf = (peer: PeerKey) => members?.get(peer)?.announcement?.status
  const judge = createJudge({
    self,
    nowMs,
    nameOf: peer => statusOf(peer)?.name,
    otherRelease: peer => statusOf(peer)?.version !== status.version,
    refuse: (peer, untilMs) => members?.happened({ type: 'refused', peer, untilMs }),
    warn: emitter.warn,
    refuseMs: init.refuseMs,
  })
  const twins = createTwins({
    self,
    protocol: streamProtocol,
    nowMs,
    nameOf: peer => statusOf(peer)?.name,
    warn: emitter.warn,
  })
  const node = await createNode({
    identity: init.identity,
    secret: init.secret,
    listen,
    announce: init.announce?.map(checkAddress),
    refused: emitter.refuse,
    metSelf: twins.metSelf,
    denies: peer => judge.isRefused(peer),
  })
  const gossip = createGossip({ node, judge, warn: emitter.warn })
  const way = { node, members: () => members, publish: gossip.publish, protocol: streamProtocol }
  const requests = createRequests({
    self,
    open: peer => openPipe(way, peer),
    heard: peer => members?.heard(peer),
    offended: judge.offended,
  })
  await node.handle(
    streamProtocol,
    (stream, connection) => requests.accept(connection.remotePeer.toString(), streamPipe(stream)),
    { maxInboundStreams: streamsMax, maxOutboundStreams: streamsMax },
  )
  twins.serve(node, requests)
  const heart = createHeart(status, {
    addresses: () => ownAddresses(node),
    reach: () => members?.reach() ?? { members: 0, neighbours: 0 },
    wire: init.wire ?? wire,
  })
  const join = createJoin([...seeds.named.keys(), ...seeds.blind])
  const { announce, beat } = heart
  const { publish } = gossip
  const discovery = init.mdns
    ? createDiscovery({
        self,
        service: serviceTag(init.secret),
        addresses: () => ownAddresses(node),
        listening: () => node.listening().map(String),
        found: (peer, addresses) => members?.happened({ type: 'found', peer, addresses, seed: false }),
        twin: twins.found,
        warn: emitter.warn,
        lonely: () => init.dial.length > 0 && members?.neighbours().length === 0,
      })
    : undefined
  members = createMembers({
    self,
    node,
    requests,
    emitter,
    judge,
    join,
    degreeMax: init.degreeMax,
    announce,
    beat,
    publish,
    isTwin: twins.known,
  })
  try {
    const parts: Parts = {
      self,
      node,
      requests,
      emitter,
      judge,
      members,
      join,
      heart,
      gossip,
      discovery,
      twins,
    }
    connectParts(parts)
    await startNode(node, listen)
    discovery?.start()
    return begin(parts, seeds)
  } catch (thrown) {
    members.stop()
    throw thrown
  }
}

interface Parts {
  self: PeerKey
  node: Node
  requests: Requests
  emitter: Emitter
  judge: Judge
  members: Members
  join: Join
  heart: Heart
  gossip: Gossip
  discovery?: Discovery
  twins: Twins
}

interface Seeds {
  /** Addresses by the peer that they name. */
  named: Map<PeerKey, string[]>
  /** Addresses that name none. */
  blind: string[]
  /** Addresses that name this peer itself. */
  own: string[]
}

/** A token's addresses, without this peer's own: a peer that starts again may be given its own token. */
function seedsOf(self: PeerKey, addresses: string[]): Seeds {
  const named = new Map<PeerKey, string[]>()
  const blind: string[] = []
  const own: string[] = []
  for (const address of new Set(addresses)) {
    const peer = peerOf(address)
    if (peer === undefined) blind.push(address)
    else if (peer === self) own.push(address)
    else named.set(peer, [...(named.get(peer) ?? []), address])
  }
  return { named, blind, own }
}

/** Charges a violation of the protocol that the handler found to the sender, then returns it like any other error. */
async function weighing(judge: Judge, from: PeerKey, answer: () => Promise<Uint8Array>): Promise<Uint8Array> {
  try {
    return await answer()
  } catch (thrown) {
    const breaks = thrown instanceof PeerError && ['MESSAGE_INVALID', 'BAD_HELLO'].includes(thrown.code)
    if (breaks) judge.offended(from, 'malformed')
    throw thrown
  }
}

/** Connects the node's events and the mesh's own protocols to the members. */
function connectParts({ node, requests, judge, members, join }: Parts): void {
  const peerOfEvent = (event: { detail: PeerId }) => event.detail.toString()
  node.addEventListener('peer:connect', event => {
    const accepted = node.getConnections(event.detail).every(connection => connection.direction === 'inbound')
    members.happened({ type: 'connected', peer: peerOfEvent(event), accepted })
    join.succeeded()
  })
  node.addEventListener('peer:disconnect', event => {
    members.happened({ type: 'disconnected', peer: peerOfEvent(event) })
  })
  requests.serve(helloProtocol, (from, body) => weighing(judge, from, async () => members.greeted(from, body)))
  requests.serve(newsProtocol, (from, body) =>
    weighing(judge, from, async () => {
      members.newsFrom(from, body)
      return nothing
    }),
  )
  const trialsOf = (from: PeerKey) =>
    tryAll(members.get(from)?.addresses ?? [], {
      own: node.listening().map(String),
      isThere: address => answersAt(node, from, address),
    })
  requests.serve(probeProtocol, async from => encodeReply(await trialsOf(from), Date.now()))
  requests.serve(oldProbeProtocol, async from => encodeOldReply(await trialsOf(from)))
  requests.serve(aliveProtocol, async () => nothing)
  requests.serve(partProtocol, async from => {
    members.happened({ type: 'parted', peer: from })
    return nothing
  })
  requests.serve(byeProtocol, async from => {
    members.happened({ type: 'left', peer: from })
    return nothing
  })
}

/** Starts the heartbeat and the dials of a node that listens. */
function begin(parts: Parts, seeds: Seeds): Mesh {
  const { self, node, requests, emitter, judge, members, join, heart, gossip } = parts
  const { redialMinMs, redialMaxMs } = membershipConfig(self)
  const stopping = new AbortController()
  gossip.weigh(heartbeatTopic, members.heartbeat)
  gossip.subscribe(reportTopic, (from, bytes) => {
    const report = decodeReport(bytes)
    if (report) members.reported(report)
    else judge.offended(from, 'malformed')
  })
  gossip.subscribe(callTopic, (from, bytes) => {
    const to = decodeCall(bytes)
    if (to === undefined) judge.offended(from, 'malformed')
    if (to === self) members.happened({ type: 'called', peer: from })
  })
  heart.start(bytes => gossip.publish(heartbeatTopic, bytes))
  for (const [peer, addresses] of seeds.named) members.happened({ type: 'found', peer, addresses, seed: true })
  // Dials the token's peers now, not with the first regular tick.
  members.happened({ type: 'tick' })
  parts.twins.look(seeds.own)
  for (const address of seeds.blind) {
    void dialUntilFound({
      address,
      dial: target => dial(node, asMultiaddrs([target]), stopping.signal),
      found: peer => members.happened({ type: 'found', peer, addresses: [address], seed: true }),
      failed: error => {
        join.failed(address, error)
        if (error.code !== 'DIALLED_SELF') emitter.warn(error.message)
      },
      backoffMs: failures => Math.min(redialMaxMs, redialMinMs * 2 ** (failures - 1)),
      signal: stopping.signal,
    })
  }
  let stopped: Promise<void> | undefined
  return {
    self,
    joined: () => join.outcome,
    addresses: () => ownAddresses(node),
    listening: () => node.listening().map(String),
    peers: () => members.records(),
    setStatus: status => heart.setStatus(checkStatus(status)),
    on: (event, handler) => emitter.on(event, handler),
    publish: (topic, bytes) => gossip.publish(topic, bytes),
    subscribe: (topic, handler) => gossip.subscribe(topic, handler),
    request(peer, protocol, body, options) {
      members.used(peer)
      return requests.request(peer, protocol, body, options)
    },
    serve: (protocol, handler) =>
      requests.serve(protocol, (from, body, signal) => {
        members.used(from)
        return weighing(judge, from, () => handler(from, body, signal))
      }),
    offended: judge.offended,
    reachability: () =>
      probeReach({
        addresses: () => ownAddresses(node),
        listening: () => node.listening().map(String),
        peers: () => members.records(),
        ask: peer => askToProbe(requests, peer),
        isThere: (peer, address) => answersAt(node, peer, address),
      }),
    discovery: () => parts.discovery?.state(),
    stop() {
      stopping.abort()
      stopped ??= stop(parts)
      return stopped
    },
  }
}

async function stop({ node, requests, members, heart, gossip, discovery, twins }: Parts): Promise<void> {
  twins.stop()
  discovery?.stop()
  heart.stop()
  gossip.stop()
  const goodbyes = members.neighbours().map(peer => requests.request(peer, byeProtocol, nothing, { timeoutMs: byeMs }))
  await Promise.allSettled(goodbyes)
  members.stop()
  requests.stop()
  let timer: NodeJS.Timeout | undefined
  const tooLong = new Promise<void>(resolve => {
    timer = setTimeout(resolve, stopMsMax)
  })
  // A neighbour that hangs must not keep this process; what is left then ends with it.
  await Promise.race([node.stop(), tooLong])
  clearTimeout(timer)
}

/** A handshake with each address takes its time. */
const probeMs = 30_000

async function askToProbe(requests: Requests, peer: PeerKey): Promise<Uint8Array> {
  try {
    return await requests.request(peer, probeProtocol, nothing, { timeoutMs: probeMs })
  } catch (thrown) {
    if (!(thrown instanceof PeerError) || thrown.code !== 'UNKNOWN_PROTOCOL') throw thrown
    return requests.request(peer, oldProbeProtocol, nothing)
  }
}

function ownAddresses(node: Node): string[] {
  return node.getMultiaddrs().map(String)
}
