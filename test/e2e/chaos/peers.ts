/** The peers of one cell: started in their network, watched for memory, ended whatever happened. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Client, connectClient } from '../../../src/api/client.ts'
import { type PeerProcess, startPeerProcess } from '../../../src/cli/demo/peer-process.ts'
import { socketPathOf } from '../../../src/peer/home.ts'
import { until } from '../mesh-of-processes.ts'
import type { ChaosNetwork } from './network.ts'

export interface ChaosPeer {
  readonly index: number
  readonly name: string
  /** Its key; the same after a restart. */
  readonly key: string
  readonly data: string
  readonly client: Client
  readonly process: PeerProcess
  alive: boolean
}

export interface ChaosPeers {
  readonly all: ChaosPeer[]
  byKey(key: string | undefined): ChaosPeer | undefined
  living(): ChaosPeer[]
  kill(peer: ChaosPeer): Promise<void>
  /** Stops it as Ctrl-C does. */
  leave(peer: ChaosPeer): Promise<void>
  /** Starts it again on the data that it had. */
  restart(peer: ChaosPeer): Promise<void>
  /** Greatest resident memory of any of them so far. */
  peakBytes(): number
  stop(): Promise<void>
}

export interface ChaosPeersInit {
  network: ChaosNetwork
  count: number
  folder: string
  /** The data folder of a peer, where it is to be elsewhere. */
  dataOf?: (index: number) => string | undefined
  envOf?: (index: number) => NodeJS.ProcessEnv | undefined
  /** What runs a peer by becoming it. */
  underOf?: (index: number) => string[]
}

const lookMs = 500

export async function startPeers(init: ChaosPeersInit): Promise<ChaosPeers> {
  const { network, count, folder } = init
  const all: ChaosPeer[] = []
  let peak = 0
  const look = async () => {
    for (const peer of all) if (peer.alive) peak = Math.max(peak, await peakOf(peer.process.pid))
  }
  const timer = setInterval(() => void look(), lookMs)
  timer.unref()

  async function start(index: number, join_?: string): Promise<ChaosPeer> {
    const name = `peer${index}`
    const data = init.dataOf?.(index) ?? join(folder, name)
    const started = await startPeerProcess({
      data,
      name,
      listen: network.listen(index),
      join: join_,
      backend: 'wasm',
      workers: 1,
      mdns: false,
      under: [...(network.under(index) ?? []), ...(init.underOf?.(index) ?? [])],
      env: init.envOf?.(index),
    })
    const client = await connectClient(socketPathOf(data))
    const { peer: key } = await client.info()
    return { index, name, key, data, client, process: started, alive: true }
  }

  async function gone(peer: ChaosPeer): Promise<void> {
    peer.alive = false
    await peer.client.close()
  }

  const stop = async () => {
    clearInterval(timer)
    await look()
    for (const peer of all) {
      if (peer.alive) await peer.client.close()
      peer.process.kill('SIGCONT')
    }
    await Promise.all(all.map(peer => peer.process.stop()))
  }

  try {
    for (let i = 0; i < count; i++) all.push(await start(i, all[0]?.process.token))
    await until(() => knowEachOther(all), 'every peer knows every other')
  } catch (thrown) {
    await stop()
    throw thrown
  }
  return {
    all,
    byKey: key => all.find(peer => peer.key === key),
    living: () => all.filter(peer => peer.alive),
    async kill(peer) {
      const ended = new Promise(resolve => peer.process.child.once('exit', resolve))
      peer.process.kill('SIGKILL')
      await ended
      await gone(peer)
    },
    async leave(peer) {
      await gone(peer)
      await peer.process.stop()
    },
    async restart(peer) {
      all[peer.index] = await start(peer.index)
    },
    peakBytes: () => peak,
    stop,
  }
}

export async function knowEachOther(peers: ChaosPeer[]): Promise<boolean> {
  for (const { client } of peers) {
    if ((await client.peers()).filter(peer => peer.connected).length < peers.length) return false
  }
  return true
}

async function peakOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmHWM:\s+(\d+)/.exec(text)?.[1] ?? 0) * 1024
}
