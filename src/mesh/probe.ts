/**
 * Why two peers do not meet, seen from both sides: this peer tries the addresses of others, and asks its neighbours to try its
 * own. A plain TCP connection first; where it opens, a handshake that says whether the peer that is meant is there.
 * Invariant: a peer tries only addresses that the asker announced of itself, so that nobody makes it scan a network.
 */
import { connect } from 'node:net'
import { decode, encode } from '@ipld/dag-cbor'
import { z } from 'zod'
import type { PeerKey } from '../base/ids.ts'
import { asMultiaddrs, multiaddrParts, place } from './addresses.ts'
import { addressesMax } from './membership/messages.ts'
import { throughZones } from './transport.ts'
import type { AddressTrial, Reachability, TrialOutcome } from './types.ts'

/** Asks the receiver to try the asker's announced addresses, and for its clock. */
export const probeProtocol = '/shardmesh/probe/2'
/** The same without the clock, and without who is there: releases before 0.2. */
export const oldProbeProtocol = '/shardmesh/probe/1'

const trialMs = 2_000
/** Of the peers without a connection, so many are tried, and so many neighbours are asked. */
const triedMax = 16
const askedMax = 3

const outcomes: Record<string, TrialOutcome> = {
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'no-route',
  ENETUNREACH: 'no-route',
  EADDRNOTAVAIL: 'no-route',
  ENOTFOUND: 'unknown-name',
  EAI_AGAIN: 'unknown-name',
}

/** Whether something listens at a multiaddr, within two seconds; `no-route` for one that TCP cannot dial. */
export function tryAddress(address: string, timeoutMs = trialMs): Promise<TrialOutcome> {
  const at = multiaddrParts(address)
  if (!at) return Promise.resolve('no-route')
  return new Promise(resolve => {
    const socket = connect({ host: at.host, port: at.port })
    const done = (outcome: TrialOutcome) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(outcome)
    }
    const timer = setTimeout(() => done('silent'), timeoutMs)
    socket.once('connect', () => done('open'))
    socket.once('error', (error: NodeJS.ErrnoException) => done(outcomes[error.code ?? ''] ?? 'silent'))
  })
}

/** Whether the peer that is meant answers at an address at which something listens. */
export type Identify = (address: string) => Promise<boolean>

export interface TryInit {
  /** Where this peer listens, which is not tried: this peer itself would answer. */
  own?: readonly string[]
  /** Absent: whatever listens is `open`. */
  isThere?: Identify
}

export async function tryAll(
  addresses: readonly string[],
  { own = [], isThere }: TryInit = {},
): Promise<AddressTrial[]> {
  const mine = new Set(own.map(place))
  const trials = await Promise.all(
    addresses.slice(0, addressesMax).map(async address => {
      const outcome: TrialOutcome = mine.has(place(address)) ? 'own' : await tryEveryWay(address)
      return { address, outcome }
    }),
  )
  if (!isThere) return trials
  // One after the other: the network's library has one dial of a peer at a time.
  for (const trial of trials) {
    if (trial.outcome === 'open' && !(await isThere(trial.address))) trial.outcome = 'other'
  }
  return trials
}

/** A link-local address is tried through every interface. */
async function tryEveryWay(address: string): Promise<TrialOutcome> {
  const ways = asMultiaddrs([address]).flatMap(throughZones)
  const outcomes = await Promise.all(ways.map(way => tryAddress(way.toString())))
  return outcomes.find(outcome => outcome === 'open') ?? outcomes[0] ?? 'no-route'
}

const trialsForm = z
  .array(
    z.object({
      address: z.string().max(256),
      outcome: z.enum(['open', 'other', 'own', 'refused', 'silent', 'no-route', 'unknown-name']),
    }),
  )
  .max(addressesMax)

/** What a neighbour found, and its clock: milliseconds since 1970. */
export interface ProbeReply {
  trials: AddressTrial[]
  clockMs?: number
}

const replyForm = z.object({ trials: trialsForm, clockMs: z.number().min(0).max(Number.MAX_SAFE_INTEGER) })

export function encodeReply(trials: AddressTrial[], clockMs: number): Uint8Array {
  return encode({ trials, clockMs })
}

/** For an older release, which knows fewer outcomes. */
export function encodeOldReply(trials: AddressTrial[]): Uint8Array {
  const older = (outcome: TrialOutcome) => (outcome === 'other' ? 'refused' : outcome === 'own' ? 'no-route' : outcome)
  return encode(trials.map(({ address, outcome }) => ({ address, outcome: older(outcome) })))
}

/** Undefined for whatever is no reply of this release or of an older one. */
export function decodeReply(bytes: Uint8Array): ProbeReply | undefined {
  try {
    const value = decode(bytes)
    return Array.isArray(value) ? { trials: trialsForm.parse(value) } : replyForm.parse(value)
  } catch {
    return undefined
  }
}

export interface ProbeDeps {
  addresses: () => string[]
  /** Where this peer listens. */
  listening: () => string[]
  /** Up or lately, with their addresses. */
  peers: () => { peer: PeerKey; neighbour: boolean; addresses: string[] }[]
  /** The reply of a neighbour; throws when it does not answer. */
  ask: (peer: PeerKey) => Promise<Uint8Array>
  isThere: (peer: PeerKey, address: string) => Promise<boolean>
}

/** Both sides' trials; takes some seconds where addresses are silent. */
export async function probeReach({ addresses, listening, peers, ask, isThere }: ProbeDeps): Promise<Reachability> {
  const known = peers()
  const apart = known.filter(({ neighbour }) => !neighbour).slice(0, triedMax)
  const near = known.filter(({ neighbour }) => neighbour).slice(0, askedMax)
  const own = listening()
  const tried = [...apart, ...near].map(async ({ peer, neighbour, addresses: to }) => {
    const trials = await tryAll(to, { own, isThere: address => isThere(peer, address) })
    return { peer, neighbour, trials }
  })
  const inward = near.map(async ({ peer }) => {
    const askedMs = Date.now()
    const reply = await ask(peer).then(decodeReply, () => undefined)
    if (!reply) return []
    const { trials, clockMs } = reply
    // Somewhere between the question and the answer.
    const clock = clockMs === undefined ? {} : { aheadMs: nearest(clockMs, askedMs, Date.now()) }
    return [{ peer, trials, ...clock }]
  })
  return {
    listening: addresses(),
    outward: await Promise.all(tried),
    inward: (await Promise.all(inward)).flat(),
  }
}

/** How far `clockMs` is before or after the time from `fromMs` to `toMs`. */
const nearest = (clockMs: number, fromMs: number, toMs: number) =>
  clockMs < fromMs ? clockMs - fromMs : clockMs > toMs ? clockMs - toMs : 0
