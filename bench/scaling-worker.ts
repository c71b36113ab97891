/** A thread of `npm run bench -- scaling`: as a lane of a peer does, it opens a network on the shared runtime and runs images. */
import { parentPort, workerData } from 'node:worker_threads'
import { prng } from '../src/base/prng.ts'
import { attachWasmBackend } from '../src/compute/backends/wasm/backend.ts'
import { loadModel } from '../src/compute/engine/model.ts'
import { openNetwork } from '../src/compute/engine/network.ts'

export interface ScalingInit {
  runtime: unknown
  bytes: Uint8Array
  rows: number
}

const { runtime, bytes, rows }: ScalingInit = workerData
const network = await openNetwork(await attachWasmBackend(runtime), loadModel(bytes))
const random = prng(1)
const images = Float32Array.from({ length: rows * network.rowElements }, () => random.normal())
const run = () => network.run(images, rows)
await run()
parentPort?.on('message', async () => {
  const started = performance.now()
  await run()
  parentPort?.postMessage(performance.now() - started)
})
parentPort?.postMessage('ready')
