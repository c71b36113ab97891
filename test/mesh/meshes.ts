/** Meshes on loopback for the tests: several in one process, all stopped after each test. */
import { afterEach } from 'vitest'
import type { PeerKey } from '../../src/base/ids.ts'
import { createSecret } from '../../src/mesh/admission.ts'
import { createIdentity } from '../../src/mesh/identity.ts'
import { startMesh } from '../../src/mesh/mesh.ts'
import type { Mesh, MeshInit } from '../../src/mesh/types.ts'
import { statusOf } from './statuses.ts'

export { statusOf }

const running = new Set<Mesh>()

/** A mesh of one on a free port of 127.0.0.1, stopped after the test. */
export async function mesh(init: Partial<MeshInit> & { name?: string } = {}): Promise<Mesh> {
  const { name = 'fig', ...rest } = init
  const started = await startMesh({
    identity: createIdentity(),
    secret: createSecret(),
    status: statusOf(name),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    dial: [],
    mdns: false,
    ...rest,
  })
  running.add(started)
  return started
}

afterEach(async () => {
  await Promise.all([...running].map(each => each.stop()))
  running.clear()
})

/** Waits until `condition` holds; vitest's own limit ends it when it never does. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 10))
}

export function namesUp(of: Mesh): string[] {
  return of
    .peers()
    .filter(record => record.connected)
    .map(record => record.status.name)
    .sort()
}

/** `count` meshes that all join through the first one's address, each up with every other. */
export async function meshOf(count: number): Promise<Mesh[]> {
  const secret = createSecret()
  const first = await mesh({ secret, name: 'peer0' })
  const rest = await Promise.all(
    Array.from({ length: count - 1 }, (_, i) => mesh({ secret, name: `peer${i + 1}`, dial: first.addresses() })),
  )
  const all = [first, ...rest]
  await until(() => all.every(each => namesUp(each).length === count - 1))
  return all
}

/** The record that `of` has of `peer`. */
export function recordOf(of: Mesh, peer: PeerKey) {
  return of.peers().find(record => record.peer === peer)
}
