/** One peer in this process that the command line reaches through its socket too: every option is tried both ways. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serveApi } from '../../src/api/server.ts'
import { createReferenceBackend } from '../../src/compute/backends/reference/index.ts'
import { loadModel } from '../../src/compute/engine/model.ts'
import { openSession } from '../../src/compute/engine/session.ts'
import { toHost } from '../../src/compute/tensor/element-type.ts'
import type { JobRequest, ResultItem } from '../../src/peer/control.ts'
import { type Peer, startPeer } from '../../src/peer/peer.ts'
import { command, type Ran } from './peer-command.ts'

export interface OnePeer {
  scratch: string
  peer: Peer
  /** `peer ARGS --data …`, in the scratch folder. */
  cli(...args: string[]): Promise<Ran>
  /** The whole result of a job that is submitted through the library. Throws where it fails. */
  library(request: JobRequest): Promise<ResultItem[]>
  /** What the command writes into `name`. Throws what it prints where it fails. */
  written(args: string[], name: string): Promise<Buffer>
  stop(): Promise<void>
}

export async function onePeer(): Promise<OnePeer> {
  const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-options-'))
  const data = join(scratch, 'peer')
  const peer = await startPeer({ data, alone: true, mdns: false, listen: [], backend: 'wasm', workers: 1 })
  const api = await serveApi(peer, peer.home.socketPath)
  const cli = (...args: string[]) => command([...args, '--data', data], { cwd: scratch })
  return {
    scratch,
    peer,
    cli,
    async library(request) {
      const { job } = await peer.submit(request)
      for await (const { outcome } of peer.watch(job)) if (outcome?.phase === 'failed') throw new Error(outcome.reason)
      const items: ResultItem[] = []
      for await (const item of peer.results(job)) items.push(item)
      return items
    },
    async written(args, name) {
      const ran = await cli(...args, '--out', name)
      if (ran.code !== 0) throw new Error(`peer ${args.join(' ')}: ${ran.stderr}`)
      return readFileSync(join(scratch, name))
    },
    async stop() {
      await api.stop()
      await peer.stop()
      rmSync(scratch, { recursive: true, force: true })
    },
  }
}

export const modelOf = (items: readonly ResultItem[]): Buffer =>
  Buffer.concat(items.flatMap(item => (item.type === 'bytes' ? [item.bytes] : [])))

/** What a model gives for some rows of `width` features, whatever its card says. */
export async function answers(onnx: Uint8Array, width: number): Promise<string> {
  const model = loadModel(onnx)
  const session = openSession(createReferenceBackend(), model)
  const data = Float32Array.from({ length: 5 * width }, (_, i) => ((i * 37) % 11) / 3)
  const outputs = await session.run({ [model.inputs[0].name]: { type: 'float32', dims: [5, width], data } })
  session.dispose()
  return JSON.stringify(
    Object.entries(outputs).map(([name, tensor]) => [name, tensor.dims, tensor.strings ?? [...toHost(tensor)]]),
  )
}
