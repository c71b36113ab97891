/**
 * Why two peers do not meet, seen from both sides: this peer tries the addresses of those that it has no connection to,
 * and asks its neighbours to try its own. A plain TCP connection that is closed at once: nothing is said over it.
 * Invariant: a peer tries only addresses that the asker announced of itself, so that nobody makes it scan a network.
 */
import { connect } from 'node:net'
import { decode, encode } from '@ipld/dag-cbor'
import { z } from 'zod'
import type { PeerKey } from '../base/ids.ts'
import { multiaddrParts } from './addresses.ts'
import { addressesMax } from './membership/messages.ts'
import type { AddressTrial, Reachability, TrialOutcome } from './types.ts'

/** Asks the receiver to try the asker's announced addresses. */
export const probeProtocol = '/shardmesh/probe/1'

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

/** `own`: where this peer listens, which is not tried: this peer itself would answer. */
export async function tryAll(addresses: readonly string[], own: readonly string[] = []): Promise<AddressTrial[]> {
  const tried = addresses.slice(0, addressesMax)
  const place = (address: string) => address.replace(/\/p2p\/.*$/, '')
  const mine = new Set(own.map(place))
  return Promise.all(
    tried.map(async address => ({ address, outcome: mine.has(place(address)) ? 'own' : await tryAddress(address) })),
  )
}

const trialsForm = z
  .array(
    z.object({
      address: z.string().max(256),
      outcome: z.enum(['open', 'own', 'refused', 'silent', 'no-route', 'unknown-name']),
    }),
  )
  .max(addressesMax)

export function encodeTrials(trials: AddressTrial[]): Uint8Array {
  return encode(trials)
}

/** Undefined for whatever is no list of trials. */
export function decodeTrials(bytes: Uint8Array): AddressTrial[] | undefined {
  try {
    return trialsForm.parse(decode(bytes))
  } catch {
    return undefined
  }
}

export interface ProbeDeps {
  addresses: () => string[]
  /** Up or lately, with their addresses. */
  peers: () => { peer: PeerKey; neighbour: boolean; addresses: string[] }[]
  /** The trials that a neighbour made; throws when it does not answer. */
  ask: (peer: PeerKey) => Promise<Uint8Array>
}

/** Both sides' trials; takes some seconds where addresses are silent. */
export async function probeReach({ addresses, peers, ask }: ProbeDeps): Promise<Reachability> {
  const known = peers()
  const apart = known.filter(({ neighbour }) => !neighbour).slice(0, triedMax)
  const near = known.filter(({ neighbour }) => neighbour).slice(0, askedMax)
  const inward = near.map(async ({ peer }) => {
    const trials = await ask(peer).then(decodeTrials, () => undefined)
    return trials ? [{ peer, trials }] : []
  })
  return {
    listening: addresses(),
    outward: await Promise.all(
      apart.map(async ({ peer, addresses: to }) => ({ peer, trials: await tryAll(to, addresses()) })),
    ),
    inward: (await Promise.all(inward)).flat(),
  }
}
