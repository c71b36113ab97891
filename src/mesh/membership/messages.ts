/**
 * What members tell each other of themselves: the announcement that a heartbeat gossips every second and that
 * two peers exchange when they connect. dag-cbor, checked and bounded: what does not fit is dropped whole.
 */
import { decode, encode } from '@ipld/dag-cbor'
import { z } from 'zod'
import { PeerError } from '../../base/errors.ts'
import type { PeerKey } from '../../base/ids.ts'
import { isPeerKey } from '../identity.ts'
import type { PeerStatus } from '../types.ts'

export const heartbeatTopic = 'shardmesh/heartbeat/1'
/** Exchanged right after connecting, both ways: who I am, and whom I know. */
export const helloProtocol = '/shardmesh/hello/1'
/** Peers that the sender heard of for the first time, or that started again. */
export const newsProtocol = '/shardmesh/news/1'
/** The sender leaves on purpose: do not look for it. */
export const byeProtocol = '/shardmesh/bye/1'
/** The sender closes this connection, which it does not need, and lives on. */
export const partProtocol = '/shardmesh/part/1'
/** A sign of life, asked for and given. */
export const aliveProtocol = '/shardmesh/alive/1'
/** A neighbour ended, or left. */
export const reportTopic = 'shardmesh/lost/1'
/** Its sender asks one peer to dial it. */
export const callTopic = 'shardmesh/call/1'

/** What a peer says of itself. Of two, the one with the greater (boot, seq) is newer. */
export interface Announcement {
  /** Wall-clock milliseconds at which the peer started: orders its lives. */
  boot: number
  /** Grows with every announcement of one life. */
  seq: number
  /** The pace of its heartbeats: slower in a large mesh, where failures are found by neighbours. */
  everyMs: number
  /** Its connections. */
  degree: number
  status: PeerStatus
  /** Multiaddrs with the peer's id; none: it only dials. */
  addresses: string[]
  /** The oldest and the newest form of messages that it reads; absent in releases that have the first form alone. */
  wire?: [number, number]
}

/**
 * The forms of messages that this release reads, from the oldest to the newest. A change that an older release cannot read has a
 * new number, and docs/operations.md a new line; what is added and may be missing has not.
 */
export const wire: [number, number] = [1, 1]

/** Whether who reads these forms and who reads those can work together. */
export const understands = ([oldest, newest]: [number, number], [first, last]: [number, number] = [1, 1]) =>
  oldest <= last && first <= newest

/** The life of `peer` that began at `boot` ended; `left`: on purpose. */
export interface Report {
  peer: PeerKey
  boot: number
  left: boolean
}

/** What one peer tells another of a third: its newest announcement, and how long ago that one was heard. */
export interface Told {
  peer: PeerKey
  announcement: Announcement
  ageMs: number
}

/** Digest of the peers that a peer knows: how many, and the exclusive or of their names' hashes. Equal: the same peers. */
export interface Acquaintances {
  count: number
  hash: number
}

export interface Hello {
  announcement: Announcement
  /** The sender, whom it hears, and the one that it greets. */
  acquaintances: Acquaintances
  /** In the answer, where the acquaintances differ: whom the sender hears; some of them, where there are many. */
  known: Told[]
}

/** A machine with more addresses than this has other troubles; the first ones are kept. */
export const addressesMax = 16
/** Peers told of in one message; the rest follow by their own heartbeats. */
export const toldMax = 256

const toldBytesMax = 1024 * 1024
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
  trouble: text.optional(),
  passing: z.literal(true).optional(),
})

const announcementForm = z.object({
  boot: count,
  seq: count,
  everyMs: z.number().int().min(100).max(60_000),
  degree: count.max(65_536),
  status: statusForm,
  addresses,
  wire: z.tuple([count, count]).optional(),
})

const peerForm = z.string().refine(isPeerKey)
const reportForm = z.object({ peer: peerForm, boot: count, left: z.boolean() })
const callForm = z.object({ to: peerForm })

/** Older than this it says nothing: the slowest heartbeats come every minute. */
const ageMsMax = 600_000
const toldForm = z
  .array(z.object({ peer: peerForm, announcement: announcementForm, ageMs: count.max(ageMsMax) }))
  .max(toldMax)

const helloForm = z.object({
  announcement: announcementForm,
  acquaintances: z.object({ count, hash: count.max(0xffffffff) }),
  known: toldForm,
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
  return bytes.byteLength > toldBytesMax ? undefined : parse(helloForm, bytes)
}

/** What a hello that is not understood says of its sender, for people. */
export function releaseIn(bytes: Uint8Array): { name?: string; version?: string } {
  const form = z.object({ announcement: z.object({ status: z.object({ name: text, version: text }) }) })
  return (bytes.byteLength > toldBytesMax ? undefined : parse(form, bytes))?.announcement.status ?? {}
}

export function encodeNews(told: Told[]): Uint8Array {
  return encode(told)
}

/** Undefined for whatever is not news. */
export function decodeNews(bytes: Uint8Array): Told[] | undefined {
  return bytes.byteLength > toldBytesMax ? undefined : parse(toldForm, bytes)
}

export function encodeReport(report: Report): Uint8Array {
  return encode(report)
}

/** Undefined for whatever is not a report. */
export function decodeReport(bytes: Uint8Array): Report | undefined {
  return parse(reportForm, bytes)
}

export function encodeCall(to: PeerKey): Uint8Array {
  return encode({ to })
}

/** Who is asked to dial; undefined for whatever is not a call. */
export function decodeCall(bytes: Uint8Array): PeerKey | undefined {
  return parse(callForm, bytes)?.to
}

function parse<T>(form: z.ZodType<T>, bytes: Uint8Array): T | undefined {
  try {
    return form.parse(decode(bytes))
  } catch {
    return undefined
  }
}
