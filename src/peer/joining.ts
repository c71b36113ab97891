/** How a peer gets into its mesh: where it listens, what a wrong token leads to, and whom it waits for. */
import { PeerError } from '../base/errors.ts'
import type { PeerKey } from '../base/ids.ts'
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
}

/** Starts listening where asked; only an explicit address may fail for its port. */
export async function joinMesh(home: Home, init: JoinInit, status: PeerStatus): Promise<Mesh> {
  const base = { identity: home.identity, secret: home.secret, status, dial: home.dial, mdns: init.mdns ?? true }
  if (init.listen) return startMesh({ ...base, listen: init.listen })
  const at = (port: number) => startMesh({ ...base, listen: [`/ip4/0.0.0.0/tcp/${port}`] })
  if (init.port !== undefined) return at(init.port)
  for (const port of new Set([init.likelyPort ?? defaultPort, defaultPort])) {
    try {
      return await at(port)
    } catch (thrown) {
      if (!(thrown instanceof PeerError) || thrown.code !== 'PORT_IN_USE') throw thrown
    }
  }
  return at(0)
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

/** Tells of peers that come and go. Returns what ends it. */
export function tellPeers(mesh: Mesh, events: EventBus): () => void {
  const names = new Map<PeerKey, string>()
  const up = ({ peer, status, connected }: PeerRecord) => {
    if (!connected) return
    const isNew = !names.has(peer)
    names.set(peer, status.name)
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
