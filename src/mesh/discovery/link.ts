/** mDNS on one interface of this machine: one socket that asks and answers there, and nowhere else. */
import { createSocket, type RemoteInfo } from 'node:dgram'
import { isIP } from 'node:net'
import type { Answer, Packet } from 'dns-packet'
import multicastDns from 'multicast-dns'
import { inSubnet, type OwnAddress } from '../interfaces.ts'

export interface Link {
  /** `eth0`. */
  name: string
  family: 'IPv4' | 'IPv6'
  /** Why it cannot be used now, such as EADDRINUSE; absent while it can. */
  problem?: string
  query(packet: { questions: { name: string; type: 'PTR' }[] }): void
  respond(answers: Answer[]): void
  close(): void
}

export interface LinkInit {
  own: OwnAddress
  port: number
  /** `from`: the sender's address. */
  heard: (kind: 'query' | 'response', packet: Packet, from: string, link: Link) => void
}

const groups = { IPv4: '224.0.0.251', IPv6: 'ff02::fb' } as const

export function openLink({ own, port, heard }: LinkInit): Link {
  const { name, family, address } = own
  const isIPv6 = family === 'IPv6'
  // IPv6 names the interface; Windows by its number.
  const via = isIPv6 ? `::%${process.platform === 'win32' ? own.scope : name}` : address
  const socket = createSocket({ type: isIPv6 ? 'udp6' : 'udp4', reuseAddr: true, ipv6Only: isIPv6 })
  // Bound to every address: one that is bound to a single one gets no multicast on Linux.
  const bind = isIPv6 ? '::' : '0.0.0.0'
  const mdns = multicastDns({ socket, port, ip: groups[family], type: isIPv6 ? 'udp6' : 'udp4', interface: via, bind })
  const failed = (error: Error & { code?: string }) => {
    link.problem = error.code ?? error.message
  }
  const sent = (error?: Error | null) => {
    if (error) failed(error)
    else link.problem = undefined
  }
  const link: Link = {
    name,
    family,
    query: packet => mdns.query(packet, sent),
    respond: answers => mdns.respond(answers, sent),
    close: () => mdns.destroy(),
  }
  // What is not a packet of DNS is a warning as well, and no trouble of this machine.
  mdns.on('error', failed)
  mdns.on('warning', (error: Error & { syscall?: string }) => {
    if (error.syscall) failed(error)
  })
  const take = (kind: 'query' | 'response') => (packet: Packet, from: RemoteInfo) => {
    // Every socket of a group is given what came in by any interface: the one that it came in by takes it.
    if (isHere(own, from.address)) heard(kind, packet, from.address.replace(/%.*$/, ''), link)
  }
  mdns.on('query', take('query'))
  mdns.on('response', take('response'))
  return link
}

function isHere(own: OwnAddress, from: string): boolean {
  const [host, zone] = from.split('%')
  if (zone !== undefined) return zone === own.name || zone === String(own.scope)
  return isIP(host) === 4 ? inSubnet(own, host) : own.family === 'IPv6'
}
