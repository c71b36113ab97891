/** How a peer gets into its mesh: where it listens, what a wrong token leads to, and whom it waits for. */
import { PeerError } from '../base/errors.ts'
import { startMesh } from '../mesh/mesh.ts'
import type { Mesh, PeerStatus } from '../mesh/types.ts'
import { defaultPort, type Home } from './home.ts'

export interface JoinInit {
  join?: string
  listen?: string[]
  mdns?: boolean
}

/** Starts listening where asked; only an explicit address may fail for its port. */
export async function joinMesh(home: Home, init: JoinInit, status: PeerStatus): Promise<Mesh> {
  const base = { identity: home.identity, secret: home.secret, status, dial: home.dial, mdns: init.mdns ?? true }
  if (init.listen) return startMesh({ ...base, listen: init.listen })
  try {
    return await startMesh({ ...base, listen: [`/ip4/0.0.0.0/tcp/${defaultPort}`] })
  } catch (thrown) {
    if (!(thrown instanceof PeerError) || thrown.code !== 'PORT_IN_USE') throw thrown
    return startMesh({ ...base, listen: ['/ip4/0.0.0.0/tcp/0'] })
  }
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
