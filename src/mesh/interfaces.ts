/**
 * The addresses of this machine, as the system tells them now: interfaces come and go, so nobody keeps the answer.
 * Invariant: the order is by how likely another machine reaches them, for only the first ones are told others.
 */
import { networkInterfaces } from 'node:os'

export interface OwnAddress {
  /** The interface, such as `eth0`. */
  name: string
  address: string
  family: 'IPv4' | 'IPv6'
  netmask: string
  mac: string
  /** The interface's number, told of IPv6 addresses. */
  scope?: number
}

/** Bridges and pairs of containers and virtual machines: every such machine has them, often with the same addresses. */
const bridges = /^(docker|br-|virbr|veth|cni|flannel|cali|lxc|lxdbr|podman|vmnet|vboxnet|vEthernet)/i

/** Those that are up, loopback last. */
export function ownAddresses(): OwnAddress[] {
  const all = Object.entries(networkInterfaces()).flatMap(([name, list]) =>
    (list ?? []).map(({ address, family, netmask, mac, scopeid: scope }) => {
      return { name, address: address.replace(/%.*$/, ''), family, netmask, mac, scope }
    }),
  )
  return all.sort((a, b) => rank(a) - rank(b))
}

/** Interfaces over which a link-local IPv6 address may lead somewhere. */
export function linkLocalZones(): string[] {
  const zones = ownAddresses().filter(({ address }) => isLinkLocal6(address))
  return [...new Set(zones.map(({ name }) => name))]
}

/** Whether `host`, an IPv4 address, is in the network of `own`. */
export function inSubnet({ family, address, netmask }: OwnAddress, host: string): boolean {
  if (family !== 'IPv4') return false
  const mask = bits(netmask)
  return (bits(address) & mask) === (bits(host) & mask)
}

const bits = (address: string) => address.split('.').reduce((sum, part) => (sum << 8) | Number(part), 0)

export const isLoopbackHost = (host: string) => /^127\./.test(host) || host === '::1' || host === 'localhost'
/** Whether a multiaddr leads every machine to itself. */
export const isLoopback = (address: string) =>
  isLoopbackHost(/^\/(?:ip4|ip6|dns[46]?)\/([^/]+)/.exec(address)?.[1] ?? '')
/** What a machine gives itself where nobody else does: it leads to the same cable alone. */
export const isLinkLocal = (host: string) => /^169\.254\./.test(host) || isLinkLocal6(host)
export const isLinkLocal6 = (host: string) => /^fe[89ab][0-9a-f]:/i.test(host)

function rank({ name, address, family }: OwnAddress): number {
  if (isLoopbackHost(address)) return 8
  return (bridges.test(name) ? 4 : 0) + (isLinkLocal(address) ? 2 : 0) + (family === 'IPv6' ? 1 : 0)
}
