/**
 * TCP as libp2p has it, with what it leaves out: a listener on every interface also tells its link-local addresses (169.254.x.y
 * and fe80::), which are all that two machines on one cable have; and a link-local IPv6 address is dialled, and accepted from,
 * through the interface that it needs (`/ip6zone/eth0/ip6/fe80::1/…`).
 */
import type { Server, Socket } from 'node:net'
import type { Listener, Transport } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { linkLocalZones, ownAddresses } from './interfaces.ts'

type TcpFactory = ReturnType<typeof tcp>

export interface TcpTransport {
  transport: TcpFactory
  /** Every address at which this peer listens now, without its id. */
  listening(): Multiaddr[]
}

export function tcpTransport(): TcpTransport {
  const listeners = new Set<Listener>()
  return {
    listening: () => [...listeners].flatMap(listener => listener.getAddrs()),
    transport: components => {
      const transport = tcp()(components) as Transport
      const { dial, createListener } = transport
      transport.dial = (address, options) => {
        const scoped = scopedHost(address)
        // What TCP is given besides goes to Node's `net.connect`.
        return dial.call(transport, address, scoped === undefined ? options : { ...options, host: scoped })
      }
      transport.createListener = options => {
        const listener = everywhere(createListener.call(transport, options))
        listener.addEventListener('listening', () => listeners.add(listener))
        listener.addEventListener('close', () => listeners.delete(listener))
        return listener
      }
      return transport as ReturnType<TcpFactory>
    },
  }
}

/** `fe80::1%eth0`, as the system wants it; undefined for every other address. */
export function scopedHost(address: Multiaddr): string | undefined {
  const [zone, host] = address.getComponents()
  return zone?.name === 'ip6zone' && host?.name === 'ip6' ? `${host.value}%${zone.value}` : undefined
}

/** An address without an interface becomes one for each interface of this machine that it may be behind. */
export function throughZones(address: Multiaddr): Multiaddr[] {
  const [host] = address.getComponents()
  if (host?.name !== 'ip6' || !/^fe[89ab]/i.test(host.value ?? '')) return [address]
  return linkLocalZones().map(zone => multiaddr(`/ip6zone/${zone}${address}`))
}

function everywhere(listener: Listener): Listener {
  const { getAddrs, listen } = listener
  let at: Multiaddr | undefined
  listener.listen = async address => {
    at = address
    acceptLinkLocal((listener as unknown as { server?: Server }).server)
    await listen.call(listener, address)
  }
  listener.getAddrs = () => {
    const known = getAddrs.call(listener)
    const [host] = at?.getComponents() ?? []
    const family = host?.value === '0.0.0.0' ? 'IPv4' : host?.value === '::' ? 'IPv6' : undefined
    const port = /\/tcp\/(\d+)/.exec(String(known[0] ?? at))?.[1]
    if (family === undefined || port === undefined) return known
    return ownAddresses()
      .filter(own => own.family === family)
      .map(({ address }) => multiaddr(`/${family === 'IPv4' ? 'ip4' : 'ip6'}/${address}/tcp/${port}`))
  }
  return listener
}

/** libp2p makes an address of who connects, and a multiaddr cannot hold the `%eth0` of a link-local one. */
function acceptLinkLocal(server: Server | undefined): void {
  server?.prependListener('connection', (socket: Socket) => {
    const from = socket.remoteAddress
    if (from?.includes('%')) Object.defineProperty(socket, 'remoteAddress', { value: from.replace(/%.*$/, '') })
  })
}
