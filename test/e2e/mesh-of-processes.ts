/** Peers as processes for end-to-end tests: started on loopback, joined by token, ended by their ids. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, connectClient } from '../../src/api/client.ts'
import { type PeerProcess, type PeerProcessInit, startPeerProcess } from '../../src/cli/demo/peer-process.ts'
import { socketPathOf } from '../../src/peer/home.ts'

export interface ProcessMesh {
  folder: string
  peers: PeerProcess[]
  clients: Client[]
  stop(): Promise<void>
}

/** One entry a peer; the first makes the mesh, the others join it. Resolves once each knows all others. */
export async function startMeshOfProcesses(inits: Partial<PeerProcessInit>[]): Promise<ProcessMesh> {
  const folder = await mkdtemp(join(tmpdir(), 'shardmesh-e2e-'))
  const peers: PeerProcess[] = []
  const clients: Client[] = []
  const stop = async () => {
    await Promise.all(clients.map(client => client.close()))
    await Promise.all(peers.map(peer => peer.stop()))
    await rm(folder, { recursive: true, force: true })
  }
  try {
    for (const [i, init] of inits.entries()) {
      const data = join(folder, `peer${i}`)
      const base = {
        data,
        name: `peer${i}`,
        listen: '/ip4/127.0.0.1/tcp/0',
        backend: 'wasm' as const,
        workers: 1,
        mdns: false,
      }
      peers.push(await startPeerProcess({ ...base, join: peers[0]?.token, ...init }))
      clients.push(await connectClient(socketPathOf(data)))
    }
    await until(async () => {
      for (const client of clients)
        if ((await client.peers()).filter(peer => peer.connected).length < inits.length) return false
      return true
    }, 'every peer knows every other')
    return { folder, peers, clients, stop }
  } catch (thrown) {
    await stop()
    throw thrown
  }
}

/** Polls until `holds`; fails the test with `what` after `timeoutMs`. */
export async function until(holds: () => Promise<boolean>, what: string, timeoutMs = 30_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}
