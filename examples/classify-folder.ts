/** Classifies a folder with one network or several, in this process alone: `classify-folder.ts FOLDER MODEL…`. */
import { startPeer } from '../src/api/index.ts'

const [folder, ...models] = process.argv.slice(2)
const peer = await startPeer({ data: 'example-peer', alone: true, mdns: false, listen: [] })
const request = {
  workload: 'classify' as const,
  inputs: [folder],
  cwd: process.cwd(),
  models,
  merge: 'mean' as const,
  top: 1,
}
const { job, notes } = await peer.submit(request)
for (const note of notes) console.log('note:', note)

const counts = new Map<string, number>()
for await (const { outcome } of peer.watch(job)) if (outcome?.phase === 'failed') throw new Error(outcome.reason)
for await (const item of peer.results(job)) {
  if (item.type === 'error') console.log(`${item.path}: ${item.reason}`)
  if (item.type === 'row') counts.set(item.top[0].label, (counts.get(item.top[0].label) ?? 0) + 1)
}
for (const [label, count] of counts) console.log(`${label}: ${count}`)
await peer.stop()
