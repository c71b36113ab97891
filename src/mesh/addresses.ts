/** Multiaddrs: which of a peer's addresses are worth telling others, and how one is read and completed. */
import { CODE_P2P, type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { PeerError } from '../base/errors.ts'
import type { PeerKey } from '../base/ids.ts'
import { isLoopback } from './interfaces.ts'
import { scopedHost, throughZones } from './transport.ts'

export interface AnnouncedInit {
  self: PeerKey
  /** What its user says that others reach it by. */
  announce?: string[]
  listening: () => Multiaddr[]
}

/**
 * What a peer tells others: what its user says, then where it listens, public addresses as well as private ones. Without the
 * loopback ones, unless there are no others: on another machine they lead to that machine itself. Peers of one machine reach
 * each other by its outer address as well.
 */
export function announcedAddresses({ self, announce = [], listening }: AnnouncedInit): Multiaddr[] {
  const all = [...announce.map(address => multiaddr(address)), ...listening()]
  const outer = all.filter(address => !isLoopback(address.toString()))
  const told = new Set((outer.length > 0 ? outer : all).map(place))
  return [...told].map(address => multiaddr(`${address}/p2p/${self}`))
}

/** An address without the peer that it names. */
export const place = (address: Multiaddr | string) => String(address).replace(/\/p2p\/[^/]+$/, '')

/** Throws PeerError `BAD_ADDRESS`, kind `input`, with an example. */
export function checkAddress(address: string): string {
  if (isTcp(address)) return address
  throw new PeerError({
    code: 'BAD_ADDRESS',
    kind: 'input',
    message: `${address.slice(0, 200)} is not an address to listen on or to dial: write it like /ip4/0.0.0.0/tcp/4601`,
  })
}

/** TCP on a host, and nothing else: libp2p would also dial a Unix socket that another peer names. */
function isTcp(address: string): boolean {
  const text = parse(address)?.toString() ?? ''
  return /^(\/ip6zone\/[\w.-]{1,16}(?=\/ip6\/))?\/(ip4|ip6|dns|dns4|dns6)\/[^/]+\/tcp\/\d+(\/p2p\/[^/]+)?$/.test(text)
}

/** The peer that an address names, if it names one. */
export function peerOf(address: string): PeerKey | undefined {
  return parse(address)
    ?.getComponents()
    .findLast(part => part.code === CODE_P2P)?.value
}

/** Where an address leads, for a plain connection; undefined for what is not TCP on a host. */
export function multiaddrParts(address: string): { host: string; port: number } | undefined {
  const parsed = isTcp(address) ? parse(address) : undefined
  const [first, ...rest] = parsed?.getComponents() ?? []
  const [host, port] = first?.name === 'ip6zone' ? rest : [first, ...rest]
  if (!parsed || !host?.value || !port?.value) return undefined
  return { host: scopedHost(parsed) ?? host.value, port: Number(port.value) }
}

/** Those of `addresses` that can be dialled. */
export function asMultiaddrs(addresses: string[]): Multiaddr[] {
  return addresses.filter(isTcp).map(address => multiaddr(address))
}

/**
 * `addresses` as ways to `peer` and to no other, whatever ids they carried; others left out, and with them those at which this
 * peer listens itself, as with a bridge that every machine has: they lead to nobody else.
 */
export function waysTo(peer: PeerKey, addresses: string[], own: Multiaddr[] = []): Multiaddr[] {
  const mine = new Set(own.map(place))
  return asMultiaddrs(addresses)
    .filter(address => !mine.has(place(address)))
    .map(address => address.decapsulateCode(CODE_P2P).encapsulate(`/p2p/${peer}`))
    .flatMap(throughZones)
}

function parse(address: string): Multiaddr | undefined {
  try {
    return multiaddr(address)
  } catch {
    return undefined
  }
}
