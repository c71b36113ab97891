/** Multiaddrs: which of a peer's addresses are worth telling others, and how one is read and completed. */
import { CODE_P2P, type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { PeerError } from '../base/errors.ts'
import type { PeerKey } from '../base/ids.ts'

/**
 * Without the loopback ones, unless there are no others: on another machine they lead to that machine itself.
 * Peers of one machine reach each other by its outer address as well.
 */
export function publicAddresses(addresses: Multiaddr[]): Multiaddr[] {
  const outer = addresses.filter(address => !isLoopback(address))
  return outer.length > 0 ? outer : addresses
}

function isLoopback(address: Multiaddr): boolean {
  return /^\/(ip4\/127\.|ip6\/::1\/)/.test(`${address.toString()}/`)
}

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
  return /^\/(ip4|ip6|dns|dns4|dns6)\/[^/]+\/tcp\/\d+(\/p2p\/[^/]+)?$/.test(text)
}

/** The peer that an address names, if it names one. */
export function peerOf(address: string): PeerKey | undefined {
  return parse(address)
    ?.getComponents()
    .findLast(part => part.code === CODE_P2P)?.value
}

/** Where an address leads, for a plain connection; undefined for what is not TCP on a host. */
export function multiaddrParts(address: string): { host: string; port: number } | undefined {
  if (!isTcp(address)) return undefined
  const [host, port] = parse(address)?.getComponents() ?? []
  return host?.value && port?.value ? { host: host.value, port: Number(port.value) } : undefined
}

/** Those of `addresses` that can be dialled. */
export function asMultiaddrs(addresses: string[]): Multiaddr[] {
  return addresses.filter(isTcp).map(address => multiaddr(address))
}

/** `addresses` as ways to `peer` and to no other, whatever ids they carried; others left out. */
export function waysTo(peer: PeerKey, addresses: string[]): Multiaddr[] {
  return asMultiaddrs(addresses).map(address => address.decapsulateCode(CODE_P2P).encapsulate(`/p2p/${peer}`))
}

function parse(address: string): Multiaddr | undefined {
  try {
    return multiaddr(address)
  } catch {
    return undefined
  }
}
