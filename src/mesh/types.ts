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
}

/** A peer that is connected, or was lately. */
export interface PeerRecord {
  peer: PeerKey
  status: PeerStatus
  addresses: string[]
  connected: boolean
  /** Milliseconds since its last heartbeat or message. */
  lastHeardMs: number
}

export interface MeshInit {
  /** Ed25519 private key in libp2p's protobuf form; says who this peer is. */
  identity: Uint8Array
  /** What admits to the mesh, 32 bytes. */
  secret: Uint8Array
  status: PeerStatus
  /** Multiaddrs to listen on; none: this peer only dials. */
  listen: string[]
  /** Multiaddrs from a join token. */
  dial: string[]
  /** Find peers of the same mesh on the local network. */
  mdns: boolean
}

export interface MeshEvents {
  /** A peer became reachable, or its status changed. */
  up: (record: PeerRecord) => void
  down: (peer: PeerKey) => void
  /** Something worth a line in the log: a refused stranger, a failed dial. */
  warning: (message: string) => void
}

export type GossipHandler = (from: PeerKey, bytes: Uint8Array) => void

/** Answers one request; what it throws reaches the requester as a PeerError. */
export type RequestHandler = (from: PeerKey, body: Uint8Array) => Promise<Uint8Array>

export interface RequestOptions {
  signal?: AbortSignal
  /** Default 10 s. */
  timeoutMs?: number
}

export interface Mesh {
  readonly self: PeerKey
  /** Multiaddrs, with this peer's id, at which others reach it. */
  addresses(): string[]
  /** Every known peer but this one. */
  peers(): PeerRecord[]
  /** Replaces this peer's status; it goes out with the next heartbeat, at once if it changed much. */
  setStatus(status: PeerStatus): void
  on<K extends keyof MeshEvents>(event: K, handler: MeshEvents[K]): () => void
  /** Best effort, at most `limits.gossipBytesMax`. */
  publish(topic: string, bytes: Uint8Array): Promise<void>
  subscribe(topic: string, handler: GossipHandler): void
  /** One request, one reply, acknowledged; at most `limits.messageBytesMax` each way. Throws PeerError. */
  request(peer: PeerKey, protocol: string, body: Uint8Array, options?: RequestOptions): Promise<Uint8Array>
  /** Serves `protocol` (`/shardmesh/block/1`). */
  serve(protocol: string, handler: RequestHandler): void
  /** Leaves the mesh: tells neighbours, closes every connection and listener. */
  stop(): Promise<void>
}
