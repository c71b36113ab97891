/**
 * The mesh as the rest of the program sees it: peers that hold one secret, gossip that may be lost, and
 * acknowledged requests. Nothing of libp2p passes this interface, so the transport can be changed behind it.
 */
import type { PeerKey } from '../base/ids.ts'

/** What a peer says of itself in every heartbeat. */
export interface PeerStatus {
  name: string
  version: string
  /** For people: `NVIDIA RTX 4070` or `8 CPU workers (wasm simd fma)`. */
  device: string
  backend: 'webgpu' | 'wasm' | 'both' | 'none'
  /** Compute lanes: shards that it can work on at once. 0: it only submits. */
  slots: number
  /** Items a second that it reached lately, over all lanes; 0 while unknown. */
  itemsPerSecond: number
  /** Shards queued or running. */
  load: number
  /** Why it takes no work now, such as a full disk; absent while it does. */
  paused?: string
  /** What it cannot do now, though it does other work: `cannot decode images: …`. */
  trouble?: string
  /** It is there for one command alone. */
  passing?: true
}

/**
 * What no honest peer does: a message that cannot be read, or has another form than its protocol; one above its limit; a frame
 * that breaks the request protocol; gossip whose signature is not its author's; gossip that is long superseded; two different
 * messages under one number; other bytes than those that were asked for.
 */
export type Offence = 'malformed' | 'oversized' | 'bad-frame' | 'forged' | 'replayed' | 'contradictory' | 'damaged'

/** A peer that is connected, or was lately. */
export interface PeerRecord {
  peer: PeerKey
  status: PeerStatus
  addresses: string[]
  /** Up: heard lately, over its own connection or by gossip. */
  connected: boolean
  /** It has a connection of its own to this peer. */
  neighbour: boolean
  /** Milliseconds since its last heartbeat or message. */
  lastHeardMs: number
  /** How often it broke the rules. */
  offences: number
  /** Milliseconds for which it is still refused; 0 when it is not. */
  refusedMs: number
}

export interface MeshInit {
  /** Ed25519 private key in libp2p's protobuf form; says who this peer is. */
  identity: Uint8Array
  /** What admits to the mesh, 32 bytes. */
  secret: Uint8Array
  status: PeerStatus
  /** Multiaddrs to listen on; none: this peer only dials. */
  listen: string[]
  /** Multiaddrs that others reach this peer by besides: a forwarded port, a name. Told first. */
  announce?: string[]
  /** Multiaddrs from a join token. */
  dial: string[]
  /** Find peers of the same mesh on the local network. */
  mdns: boolean
  /** Connections kept while idle, some two thirds of which are sought; the others are heard by gossip. Default 12. */
  degreeMax?: number
  /** The oldest and the newest form of messages that this release reads; tests give others. */
  wire?: [number, number]
  /** How long one that keeps breaking the rules is refused at first; default a minute. */
  refuseMs?: number
}

/** What each event's handler is given. */
export interface MeshEvents {
  /** A peer became reachable, or its status changed. */
  up: PeerRecord
  down: PeerKey
  /** Who dialled and did not prove that it has the mesh's secret: its address, each at most once in half a minute. */
  refused: string
  /** Something worth a line in the log, such as a failed dial. */
  warning: string
}

/**
 * What a plain connection to an address met: a listener, a refusal, no answer at all, or no way there. `own`: the address is
 * the one at which the peer that tries listens itself, as with a bridge that every machine has: it leads to nobody else. `other`:
 * something listens there, but it is not the peer that is meant.
 */
export type TrialOutcome = 'open' | 'other' | 'own' | 'refused' | 'silent' | 'no-route' | 'unknown-name'

/** One address that was tried, and what was met there. */
export interface AddressTrial {
  /** A multiaddr. */
  address: string
  /** What a plain connection met. */
  outcome: TrialOutcome
}

/** Who reaches whom, tried from both sides. */
export interface Reachability {
  /** What this peer tells others. */
  listening: string[]
  /** This peer's trials of the others; `neighbour`: it has a connection to it. */
  outward: { peer: PeerKey; neighbour: boolean; trials: AddressTrial[] }[]
  /** Neighbours' trials of this peer, and by how much their clocks are ahead of this one's, where they say so. */
  inward: { peer: PeerKey; trials: AddressTrial[]; aheadMs?: number }[]
}

/** How discovery on the local network goes. */
export interface DiscoveryState {
  /** One for each interface and family; `problem`: why it cannot be used, such as `EADDRINUSE`. */
  links: { name: string; family: 'IPv4' | 'IPv6'; problem?: string }[]
  /** Why it works nowhere, and what to do; absent while it works somewhere. */
  problem?: string
  /** Milliseconds since it began. */
  sinceMs: number
  /** Peers of this mesh that were heard by it so far. */
  peers: number
  /** Packets of other machines, of whatever kind: where there are none, something keeps multicast away. */
  others: number
}

export type GossipHandler = (from: PeerKey, bytes: Uint8Array) => void

/**
 * Answers one request; what it throws reaches the requester as a PeerError. The body is the handler's to keep,
 * the reply the mesh's until it is sent. `signal` aborts when the requester gave up or is gone. A PeerError of code
 * `MESSAGE_INVALID` says that the request breaks the rules, and counts as its sender's offence.
 */
export type RequestHandler = (from: PeerKey, body: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>

export interface RequestOptions {
  signal?: AbortSignal
  /** Default 10 s. */
  timeoutMs?: number
  /**
   * The limit counts from the last part of a large reply of this peer, to this request or to another: a slow line may
   * take its time, up to ten times the limit.
   */
  untilIdle?: boolean
}

export interface Mesh {
  readonly self: PeerKey
  /**
   * Resolves with the first connection, or at once when there was no address to dial. Rejects with a PeerError
   * when every address of `dial` failed once: `OTHER_MESH` (kind `input`), `OTHER_PEER` or `PEER_UNREACHABLE`.
   * The mesh goes on trying either way.
   */
  joined(): Promise<void>
  /** Multiaddrs, with this peer's id, at which others reach it. */
  addresses(): string[]
  /** Multiaddrs at which this peer listens, those that lead to this machine alone too. */
  listening(): string[]
  /** Every peer but this one that is up, or was within the last minute and did not say goodbye. */
  peers(): PeerRecord[]
  /** Replaces this peer's status; it goes out with the next heartbeat, at once if it changed much. */
  setStatus(status: PeerStatus): void
  /** Returns what ends the subscription. */
  on<K extends keyof MeshEvents>(event: K, handler: (event: MeshEvents[K]) => void): () => void
  /** Best effort, at most `limits.gossipBytesMax`; not delivered to oneself. Throws PeerError. */
  publish(topic: string, bytes: Uint8Array): Promise<void>
  /** `from` signed the message; whoever passed it on is a member too. */
  subscribe(topic: string, handler: GossipHandler): void
  /** One request, one reply, acknowledged; at most `limits.messageBytesMax` each way. Throws PeerError. */
  request(peer: PeerKey, protocol: string, body: Uint8Array, options?: RequestOptions): Promise<Uint8Array>
  /** Serves `protocol` (`/shardmesh/block/1`), once; 64 requests of one peer at a time, the rest wait. */
  serve(protocol: string, handler: RequestHandler): void
  /** What came from `peer` breaks the rules; one that keeps doing so is refused for a while. */
  offended(peer: PeerKey, offence: Offence): void
  /** Tries the addresses of peers without a connection, and lets neighbours try this peer's; takes some seconds. */
  reachability(): Promise<Reachability>
  /** How discovery on the local network goes; undefined where it is turned off. */
  discovery(): DiscoveryState | undefined
  /** Leaves the mesh: tells neighbours, closes every connection and listener; within 2 s. */
  stop(): Promise<void>
}
