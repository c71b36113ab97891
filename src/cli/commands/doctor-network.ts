/** What `peer doctor` finds of the network: the port, this machine's addresses, IPv6, and discovery by mDNS. */
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { isLinkLocal, isLoopbackHost, ownAddresses } from '../../mesh/interfaces.ts'
import { quietText } from '../../mesh/quiet-text.ts'
import type { DiscoveryState } from '../../mesh/types.ts'
import { defaultPort } from '../../peer/home.ts'
import type { Finding } from './doctor-reach.ts'

export async function networkFindings(): Promise<Finding[]> {
  return [await port(), network(), await ipv6()]
}

function port(): Promise<Finding> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () =>
      resolve({
        topic: 'port',
        ok: true,
        says: `${defaultPort} is in use (by a running peer?); a new peer takes any free port`,
      }),
    )
    server.listen(defaultPort, () =>
      server.close(() => resolve({ topic: 'port', ok: true, says: `${defaultPort} is free` })),
    )
  })
}

function network(): Finding {
  const all = ownAddresses().filter(({ address }) => !isLoopbackHost(address))
  if (all.length > 0) {
    return { topic: 'network', ok: true, says: all.map(({ name, address }) => `${address} (${name})`).join(', ') }
  }
  return {
    topic: 'network',
    ok: false,
    says: 'no network but loopback',
    advice: 'other machines cannot be reached; peers on this machine can',
  }
}

/** A machine without one is fine: IPv4 suffices. */
async function ipv6(): Promise<Finding> {
  const topic = 'ipv6'
  const problem = await new Promise<string | undefined>(resolve => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen({ host: '::', port: 0, ipv6Only: true }, () => server.close(() => resolve(undefined)))
  })
  if (problem !== undefined) return { topic, ok: true, says: `turned off on this machine (${problem}): peers use IPv4` }
  const own = ownAddresses().filter(({ address, family }) => family === 'IPv6' && !isLoopbackHost(address))
  const wide = own.filter(({ address }) => !isLinkLocal(address)).map(({ address }) => address)
  if (wide.length > 0) return { topic, ok: true, says: wide.join(', ') }
  return {
    topic,
    ok: true,
    says: own.length > 0 ? 'on each local network alone (link-local)' : 'no address: peers use IPv4',
  }
}

/** Discovery by the running peer. */
export function mdnsFinding(state: DiscoveryState | undefined, connected: boolean): Finding {
  const topic = 'mdns'
  if (!state) return { topic, ok: true, says: 'turned off (--no-mdns): peers join by address' }
  const advice = 'peers on the local network are not found until then; those of a token\u2019s addresses are'
  if (state.problem !== undefined) return { topic, ok: false, says: state.problem, advice }
  if (state.peers === 0 && !connected) {
    return {
      topic,
      ok: false,
      says: quietText(state),
      advice: 'open UDP 5353 in the firewalls, or join by address with a token',
    }
  }
  const links = state.links
    .filter(({ problem }) => problem === undefined)
    .map(({ name, family }) => `${name} ${family}`)
  return {
    topic,
    ok: true,
    says: `UDP 5353 on ${links.join(', ')}: ${state.peers === 0 ? 'no peer' : state.peers} of this mesh heard`,
  }
}

/** Whether a peer that is started here could use mDNS. */
export async function heldPort(): Promise<Finding> {
  const problem = await new Promise<string | undefined>(resolve => {
    const socket = createSocket({ type: 'udp4', reuseAddr: true })
    const done = (code?: string) => {
      socket.close()
      resolve(code)
    }
    socket.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
    socket.bind(5353, '0.0.0.0', () => done())
  })
  if (problem === undefined) return { topic: 'mdns', ok: true, says: 'UDP 5353 can be used' }
  return {
    topic: 'mdns',
    ok: false,
    says: `UDP 5353 cannot be used (${problem === 'EADDRINUSE' ? 'another program holds it for itself' : problem})`,
    advice: 'peers on the local network would not be found: end that program, or join by address with a token',
  }
}
