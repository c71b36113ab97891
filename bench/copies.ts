/**
 * How fast a job's inputs are with another peer: files read into shards of one file each, then every block held by a peer
 * in a process of its own, which comes when all is read and computes nothing. Small files measure what a block costs, large ones what a byte costs.
 *
 *   npm run bench -- copies [--files 10000] [--kb 2] [--runs 3]
 */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { packageRoot } from '../src/base/package-root.ts'
import { median } from '../src/base/statistics.ts'
import type { JobSummary } from '../src/peer/control.ts'
import { startPeer } from '../src/peer/peer.ts'
import { printTable } from './report.ts'

export async function benchCopies(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      files: { type: 'string', default: '10000' },
      kb: { type: 'string', default: '2' },
      runs: { type: 'string', default: '3' },
    },
  })
  const [files, bytes] = [Number(values.files), Number(values.kb) * 1000]
  const seconds: { read: number; placed: number }[] = []
  for (let run = 0; run < Number(values.runs); run++) seconds.push(await once(files, bytes))
  const placed = seconds.map(each => each.placed)
  console.log(`\n${files} files of ${bytes} bytes, one a shard: to a second peer, ${values.runs} runs`)
  printTable(
    ['inputs read s', 'with the other peer s', 'min', 'max', 'files/s', 'MB/s'],
    [
      [
        median(seconds.map(each => each.read)).toFixed(2),
        median(placed).toFixed(2),
        Math.min(...placed).toFixed(2),
        Math.max(...placed).toFixed(2),
        (files / median(placed)).toFixed(0),
        ((files * bytes) / 1e6 / median(placed)).toFixed(1),
      ],
    ],
  )
}

const base = { mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'], compute: false }

async function once(files: number, bytes: number): Promise<{ read: number; placed: number }> {
  const scratch = await mkdtemp(join(tmpdir(), 'shardmesh-copies-'))
  let child: ChildProcess | undefined
  const owner = await startPeer({ ...base, data: join(scratch, 'owner'), name: 'owner' })
  try {
    await mkdir(join(scratch, 'in'))
    for (let n = 0; n < files; n++) {
      await writeFile(join(scratch, 'in', `${String(n).padStart(7, '0')}.jpg`), Buffer.alloc(bytes, `${n} `))
    }
    let beganMs = performance.now()
    const since = () => (performance.now() - beganMs) / 1000
    const { job } = await owner.submit({
      workload: 'classify',
      inputs: ['in'],
      cwd: scratch,
      models: [join(packageRoot, 'demo/models/shapes-plain')],
      merge: 'mean',
      top: 1,
      itemsPerShard: 1,
      copies: 1,
    })
    const until = async (holds: (job: JobSummary) => boolean) => {
      for (let seen = await owner.job(job); !holds(seen); seen = await owner.job(job)) {
        if (seen.outcome) throw new Error(`the job ended: ${seen.outcome.reason}`)
        await new Promise(resolve => setTimeout(resolve, 10))
      }
      return since()
    }
    const read = await until(({ complete }) => complete)
    child = fork(fileURLToPath(import.meta.url), [join(scratch, 'holder'), (await owner.info()).token])
    if (!(await owner.waitForPeers(30_000))) throw new Error('the other peer did not come')
    beganMs = performance.now()
    return { read, placed: await until(({ copies }) => copies?.placed === 1) }
  } finally {
    await owner.stop()
    if (child) {
      const exited = new Promise(resolve => child?.once('exit', resolve))
      child.send('stop', () => {}) // it may have ended by itself
      await exited
    }
    await rm(scratch, { recursive: true, force: true })
  }
}

/** The other peer. */
async function hold(data: string, join_: string): Promise<void> {
  const peer = await startPeer({ ...base, data, join: join_, name: 'holder' })
  process.once('message', () => void peer.stop().then(() => process.exit(0)))
}

if (process.send && process.argv.length === 4) await hold(process.argv[2], process.argv[3])
