/**
 * What members tell each other of themselves: the announcement that a heartbeat gossips every second and that
 * two peers exchange when they connect. dag-cbor, checked and bounded: what does not fit is dropped whole.
 */
import { decode, encode } from '@ipld/dag-cbor'
import { z } from 'zod'
import { PeerError } from '../base/errors.ts'
import type { PeerKey } from '../base/ids.ts'
import { isPeerKey } from './identity.ts'
import type { PeerStatus } from './types.ts'

export const heartbeatTopic = 'shardmesh/heartbeat/1'
/** Exchanged right after connecting, both ways: who I am, and whom I know. */
export const helloProtocol = '/shardmesh/hello/1'
/** The sender leaves on purpose: it is not to be looked for. */
export const byeProtocol = '/shardmesh/bye/1'

/** What a peer says of itself. Of two, the one with the greater (boot, seq) is newer. */
export interface Announcement {
  /** Wall-clock milliseconds at which the peer started: orders its lives. */
  boot: number
  /** Grows with every announcement of one life. */
  seq: number
  status: PeerStatus
  /** Multiaddrs with the peer's id; none: it only dials. */
  addresses: string[]
}

export interface Acquaintance {
  peer: PeerKey
  addresses: string[]
}

export interface Hello {
  announcement: Announcement
  /** Peers that the sender is connected to. */
  known: Acquaintance[]
}

/** A machine with more addresses than this has other troubles; the first ones are kept. */
export const addressesMax = 16
/** Peers named in one hello; the rest follow by their own heartbeats. */
export const knownMax = 256

const helloBytesMax = 512 * 1024
const text = z.string().max(256)
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const addresses = z.array(text).max(addressesMax)

const statusForm = z.object({
  name: z.string().max(64),
  version: z.string().max(64),
  device: text,
  backend: z.enum(['webgpu', 'wasm', 'both', 'none']),
  slots: count.max(65_536),
  itemsPerSecond: z.number().min(0).max(1e12),
  load: count,
  paused: text.optional(),
})

const announcementForm = z.object({ boot: count, seq: count, status: statusForm, addresses })

const helloForm = z.object({
  announcement: announcementForm,
  known: z.array(z.object({ peer: z.string().refine(isPeerKey), addresses })).max(knownMax),
})

/** Throws PeerError `BAD_STATUS` for one that others would drop: too long a name, a negative load. */
export function checkStatus(status: PeerStatus): PeerStatus {
  const form = statusForm.safeParse(status)
  if (form.success) return form.data
  const [issue] = form.error.issues
  throw new PeerError({
    code: 'BAD_STATUS',
    kind: 'input',
    message: `this peer's ${issue.path.join('.')} cannot be announced: ${issue.message}`,
  })
}

export function encodeAnnouncement(announcement: Announcement): Uint8Array {
  return encode(announcement)
}

/** Undefined for whatever is not an announcement. */
export function decodeAnnouncement(bytes: Uint8Array): Announcement | undefined {
  return parse(announcementForm, bytes)
}

export function encodeHello(hello: Hello): Uint8Array {
  return encode(hello)
}

/** Undefined for whatever is not a hello. */
export function decodeHello(bytes: Uint8Array): Hello | undefined {
  return bytes.byteLength > helloBytesMax ? undefined : parse(helloForm, bytes)
}

function parse<T>(form: z.ZodType<T>, bytes: Uint8Array): T | undefined {
  try {
    return form.parse(decode(bytes))
  } catch {
    return undefined
  }
}
