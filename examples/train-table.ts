/** Trains a softmax classifier on a table: `train-table.ts TABLE LABEL OUT.onnx`. */
import { writeFile } from 'node:fs/promises'
import { startPeer } from '../src/api/index.ts'

const [table, label, out] = process.argv.slice(2)
const peer = await startPeer({ data: 'example-peer', alone: true, mdns: false, listen: [] })
const { job } = await peer.submit({
  workload: 'train',
  inputs: [table],
  cwd: process.cwd(),
  options: { method: 'softmax' },
  table: { label },
})
for await (const { round, objective, outcome } of peer.watch(job)) {
  if (objective) console.log(`round ${round}: ${objective.name} ${objective.value}`)
  if (outcome?.phase === 'failed') throw new Error(outcome.reason)
}
const parts: Uint8Array[] = []
for await (const item of peer.results(job)) if (item.type === 'bytes') parts.push(item.bytes)
await writeFile(out, Buffer.concat(parts))
console.log(`the model is in ${out}`)
await peer.stop()
