/** Starts a peer, gives it a job of empty shards, and prints what happens: `watch-events.ts`. */
import { startPeer } from '../src/api/index.ts'

let over = () => {}
const done = new Promise<void>(resolve => {
  over = resolve
})
const peer = await startPeer({
  data: 'example-peer',
  alone: true,
  mdns: false,
  listen: [],
  onEvent(event) {
    console.log(new Date(event.atMs).toISOString(), event.type)
    if (event.type === 'job-done') over()
  },
})
const { job } = await peer.submit({ workload: 'probe', shards: 8, cwd: process.cwd() })
for await (const { phase, shardsDone } of peer.watch(job)) console.log(phase, shardsDone)
await done
await peer.stop()
