/** Peers in one process for the tests of what they keep: started in a scratch folder, with pictures and a small network. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../../src/base/package-root.ts'
import { drawSamples } from '../../src/cli/demo/draw.ts'
import type { ClassifyRequest, Control, JobSummary, ResultItem } from '../../src/peer/control.ts'
import { type Peer, type PeerInit, startPeer } from '../../src/peer/peer.ts'

export interface SomePeers {
  scratch: string
  /** One small network over `images`. */
  request: ClassifyRequest
  /** The first one makes the mesh, the others join it while any of it runs. */
  start(name: string, init?: Partial<PeerInit>): Promise<Peer>
  stop(...peers: Peer[]): Promise<void>
  /** Whatever a test that failed left running. */
  stopAll(): Promise<void>
  end(): Promise<void>
}

export async function somePeers(images: number): Promise<SomePeers> {
  const scratch = await mkdtemp(join(tmpdir(), 'shardmesh-peers-'))
  await drawSamples(join(scratch, 'images'), { count: images, seed: 3 })
  const models = (await readdir(join(packageRoot, 'demo/models'))).sort().slice(0, 1)
  const running: Peer[] = []
  const stop = async (...peers: Peer[]) => {
    for (const peer of peers) {
      running.splice(running.indexOf(peer), 1)
      await peer.stop()
    }
  }
  return {
    scratch,
    request: {
      workload: 'classify',
      inputs: ['images'],
      cwd: scratch,
      models: models.map(name => join(packageRoot, 'demo/models', name)),
      merge: 'mean',
      top: 2,
    },
    async start(name, init = {}) {
      const join_ = running.length > 0 ? (await running[0].info()).token : undefined
      const base = { data: join(scratch, name), name, join: join_, mdns: false, backend: 'wasm' as const, workers: 1 }
      const peer = await startPeer({ ...base, listen: ['/ip4/127.0.0.1/tcp/0'], ...init })
      running.push(peer)
      return peer
    },
    stop,
    stopAll: () => stop(...running),
    async end() {
      await stop(...running)
      await rm(scratch, { recursive: true, force: true })
    },
  }
}

export async function all(items: AsyncIterable<ResultItem>): Promise<ResultItem[]> {
  const list: ResultItem[] = []
  for await (const item of items) list.push(item)
  return list
}

/** The result's rows, which do not depend on the job's id. */
export async function rowsOf(control: Control, job: string): Promise<ResultItem[]> {
  return (await all(control.results(job))).filter(item => item.type === 'row')
}

/** The job once it is over. */
export async function end(control: Control, job: string): Promise<JobSummary> {
  let last: JobSummary | undefined
  for await (const summary of control.watch(job)) last = summary
  return last as JobSummary
}
