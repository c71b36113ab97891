/** How a peer gets into its mesh: where it listens, what a wrong token leads to, and whom it waits for. */
import { createServer } from 'node:net'
import { PeerError } from '../base/errors.ts'
import { type PeerKey, shortPeer } from '../base/ids.ts'
import { announcedAddress } from '../mesh/announce.ts'
import { startMesh } from '../mesh/mesh.ts'
import type { Mesh, PeerRecord, PeerStatus } from '../mesh/types.ts'
import type { EventBus } from './events.ts'
import { defaultPort, type Home } from './home.ts'

export interface JoinInit {
  join?: string
  listen?: string[]
  /** On every interface; one that is taken is an error. */
  port?: number
  /** Tried before the usual port. */
  likelyPort?: number
  mdns?: boolean
  /** What others reach this peer by besides, as people write it. */
  announce?: string[]
}

/** Starts listening where asked; only an explicit address may fail for its port. */
export async function joinMesh(home: Home, init: JoinInit, status: PeerStatus): Promise<Mesh> {
  const { identity, secret, dial } = home
  const start = (listen: string[], port: number) => {
    const announce = init.announce?.map(address => announcedAddress(address, port))
    return startMesh({ identity, secret, status, dial, mdns: init.mdns ?? true, listen, announce })
  }
  if (init.listen) return start(init.listen, portIn(init.listen) ?? defaultPort)
  const at = (port: number) => start([`/ip4/0.0.0.0/tcp/${port}`, `/ip6/::/tcp/${port}`], port)
  if (init.port !== undefined) return at(init.port)
  for (const port of new Set([init.likelyPort ?? defaultPort, defaultPort])) {
    const mesh = (await isFree(port)) ? await at(port).catch(unlessTaken) : undefined
    if (mesh) return mesh
  }
  // One port for both families: another program may take it meanwhile.
  for (let tries = 0; tries < freePortTries; tries++) {
    const mesh = await at(await freePort()).catch(unlessTaken)
    if (mesh) return mesh
  }
  return at(0)
}

const freePortTries = 8

const portIn = (listen: string[]) => Number(/\/tcp\/([1-9]\d*)/.exec(listen.join(' '))?.[1]) || undefined

function unlessTaken(thrown: unknown): undefined {
  if (!(thrown instanceof PeerError) || thrown.code !== 'PORT_IN_USE') throw thrown
}

/** In both families; a machine without IPv6 has IPv4 alone. */
async function isFree(port: number): Promise<boolean> {
  return (await bindable(port, '0.0.0.0')) !== 'EADDRINUSE' && (await bindable(port, '::')) !== 'EADDRINUSE'
}

async function freePort(): Promise<number> {
  const port = await bindable(0, '0.0.0.0')
  return typeof port === 'number' && (await isFree(port)) ? port : 0
}

/** The port, or the error's code. */
function bindable(port: number, host: string): Promise<number | string> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen({ port, host, ipv6Only: host === '::' }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : port))
    })
  })
}

/** A token of another mesh is refused at once; peers that are merely off may come later. */
export async function confirmMesh(
  home: Home,
  mesh: Mesh,
  init: JoinInit,
  warn: (message: string) => void,
): Promise<void> {
  if (init.join === undefined) return
  try {
    await mesh.joined()
  } catch (thrown) {
    if (!(thrown instanceof PeerError) || thrown.kind === 'input') throw thrown
    warn(`${thrown.message}; it is tried again`)
  }
  await home.confirm()
}

/** Tells of peers that come and go, and once of one that has this peer's name. Returns what ends it. */
export function tellPeers(mesh: Mesh, events: EventBus, ownName: string): () => void {
  const names = new Map<PeerKey, string>()
  const namesakes = new Set<PeerKey>()
  const up = ({ peer, status, addresses, connected }: PeerRecord) => {
    if (!connected) return
    const isNew = !names.has(peer)
    names.set(peer, status.name)
    // One that was started for a single command has no address, and is soon gone.
    const stay = addresses.length > 0 && mesh.addresses().length > 0
    if (status.name === ownName && stay && !namesakes.has(peer)) {
      namesakes.add(peer)
      const message = `another peer (${shortPeer(peer)}) is called ${ownName} as well: lists show them alike; --name gives this one a name of its own`
      events.emit({ type: 'warning', message })
    }
    if (isNew) events.emit({ type: 'peer-joined', peer, name: status.name, device: status.device })
  }
  for (const record of mesh.peers()) up(record)
  const offs = [
    mesh.on('up', up),
    mesh.on('down', peer => {
      const name = names.get(peer)
      if (name !== undefined) events.emit({ type: 'peer-gone', peer, name })
      names.delete(peer)
    }),
  ]
  return () => {
    for (const off of offs) off()
  }
}

/** Resolves true once another peer is connected, false after `timeoutMs`. */
export function waitForPeers(mesh: Mesh, timeoutMs: number): Promise<boolean> {
  return new Promise(resolve => {
    const done = (found: boolean) => {
      clearTimeout(timer)
      off()
      resolve(found)
    }
    const timer = setTimeout(() => done(false), timeoutMs)
    const off = mesh.on('up', () => done(true))
    if (mesh.peers().some(record => record.connected)) done(true)
  })
}
