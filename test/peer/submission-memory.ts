/**
 * A submitter in a process of its own, whose memory is looked at: reads the folder `in` beside its data folder into a job
 * and prints what the heap holds afterwards, in bytes, with the peak of what lies outside it. Run with --expose-gc.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { packageRoot } from '../../src/base/package-root.ts'
import { startPeer } from '../../src/peer/peer.ts'

const scratch = process.argv[2]
const peer = await startPeer({
  data: join(scratch, 'data'),
  name: 'submitter',
  mdns: false,
  listen: [],
  compute: false,
})
const models = join(packageRoot, 'demo/models')
let externalPeak = 0
const timer = setInterval(() => {
  externalPeak = Math.max(externalPeak, process.memoryUsage().external)
}, 20)
const heaps: number[] = []
let items = 0
for (const inputs of ['few', 'many']) {
  const { job } = await peer.submit({
    workload: 'classify',
    inputs: [inputs],
    cwd: join(scratch, 'in'),
    models: [join(models, (await readdir(models)).sort()[0])],
    merge: 'mean',
    top: 1,
  })
  for await (const state of peer.watch(job)) {
    items = state.itemsTotal
    if (state.complete) break
  }
  for (let n = 0; n < 3; n++) {
    globalThis.gc?.()
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  heaps.push(process.memoryUsage().heapUsed)
}
clearInterval(timer)
process.stdout.write(`${JSON.stringify({ items, heaps, externalPeak })}\n`)
await peer.stop()
process.exit(0)
