/**
 * The demo: peers as processes of their own, joined by token; one of them is given the pictures, all of them
 * compute, one leads. What it shows is what a mesh of several machines does, only on one machine.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import pc from 'picocolors'
import { type Client, connectClient } from '../../api/client.ts'
import { PeerError } from '../../base/errors.ts'
import { makeFolder } from '../../base/make-folder.ts'
import { packageRoot } from '../../base/package-root.ts'
import type { JobSummary } from '../../peer/control.ts'
import { socketPathOf } from '../../peer/home.ts'
import { follow, requireFinal } from '../follow.ts'
import { count, plural, rate, table } from '../format.ts'
import { interruptible } from '../interrupt.ts'
import { shareLines } from '../live.ts'
import { checkOut, saveResult } from '../save-result.ts'
import { featureTable } from '../train-images.ts'
import { accuracies } from './accuracy.ts'
import { drawSamples } from './draw.ts'
import { type PeerProcess, startPeerProcess } from './peer-process.ts'

export interface DemoOptions {
  images?: string
  model?: string[]
  count: number
  peers: number
  folder: string
  verbose?: boolean
}

/** Its peers are processes, which end in order. */
const demoTidyMs = 3000
const names = ['kiwi', 'fig', 'plum', 'lime', 'pear', 'quince', 'mango', 'peach']
const say = (line = '') => process.stderr.write(`${line && '  '}${line}\n`)

export async function runDemo(options: DemoOptions): Promise<void> {
  const folder = resolve(options.folder)
  const out = join(folder, 'predictions.csv')
  await makeFolder(folder)
  await checkOut(out)
  const peersWanted = Math.max(1, Math.min(options.peers, names.length))
  const abort = interruptible(demoTidyMs)
  const scratch = await mkdtemp(join(tmpdir(), 'shardmesh-demo-'))
  const peers: PeerProcess[] = []
  try {
    say(pc.bold('1. A mesh') + pc.dim(`: ${plural(peersWanted, 'peer')} on this machine, each a process of its own`))
    await startPeers(peers, scratch, peersWanted)
    const last = await connectClient(socketPathOf(peers[peers.length - 1].data))
    try {
      await everyoneKnown(last, peersWanted)
      for (const peer of await last.peers()) say(`   ${peer.name.padEnd(6)} ${peer.device}`)
      abort.signal.throwIfAborted()

      const { signal } = abort
      const images = options.images ? resolve(options.images) : await pictures(folder, options.count)
      const networks = options.model?.map(path => resolve(path)) ?? (await ownModels())
      const models = [...networks]
      // On other people's images nobody knows what is right.
      if (!options.images && !options.model) {
        models.push(await trained(last, { images: join(folder, 'training'), folder, signal }))
      }
      await classify(last, { images, models, out, cwd: folder, signal })
    } finally {
      await last.close()
    }
  } catch (thrown) {
    if (abort.signal.aborted)
      throw new PeerError({ code: 'INTERRUPTED', kind: 'aborted', message: 'the demo was stopped' })
    throw thrown
  } finally {
    await Promise.all(peers.map(peer => peer.stop()))
    await rm(scratch, { recursive: true, force: true })
  }
  process.exit(0) // the signal handlers would keep the process
}

async function startPeers(peers: PeerProcess[], scratch: string, wanted: number): Promise<void> {
  const workers = Math.max(1, Math.floor(availableParallelism() / wanted))
  const options = { listen: '/ip4/127.0.0.1/tcp/0', workers, mdns: false }
  peers.push(await startPeerProcess({ ...options, data: join(scratch, names[0]), name: names[0] }))
  const { token } = peers[0]
  const rest = names
    .slice(1, wanted)
    .map(name => startPeerProcess({ ...options, data: join(scratch, name), name, join: token }))
  for (const started of await Promise.allSettled(rest)) {
    if (started.status === 'rejected') throw started.reason
    peers.push(started.value)
  }
}

const knownMs = 15_000

async function everyoneKnown(client: Client, wanted: number): Promise<void> {
  const deadline = Date.now() + knownMs
  while ((await client.peers()).filter(peer => peer.connected).length < wanted) {
    if (Date.now() > deadline) {
      throw new PeerError({
        code: 'DEMO_MESH',
        kind: 'transport',
        message: 'the peers did not find each other on loopback; is a firewall in the way?',
      })
    }
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

/** Pictures to learn from; more would teach more, and take longer. */
const trainingCount = 2000

async function pictures(folder: string, wanted: number): Promise<string> {
  say()
  say(
    pc.bold('2. Pictures') + pc.dim(`: ${count(wanted)} JPEGs of ten shapes, drawn now, hard enough that networks err`),
  )
  const [images, training] = [join(folder, 'images'), join(folder, 'training')]
  for (const old of [images, training]) await rm(old, { recursive: true, force: true })
  const drawn = await drawSamples(images, { count: wanted, seed: 2024 })
  const others = await drawSamples(training, { count: trainingCount, seed: 7 })
  say(`   ${count(drawn.files)} files in ${images}`)
  say(`   ${count(others.files)} others, to learn from, in ${training}`)
  return images
}

/** What the first of the demo's networks has before its last layer: one number for each of its channels. */
const embedding = { model: 'shapes-plain', output: '/9/Flatten_output_0' }

/** Its file's name, and so the model's. */
const learntName = 'learnt'
/** More than there are shapes: every model's probability of every one is kept, to see what each adds. */
const topAll = 100

interface Lesson {
  images: string
  folder: string
  signal: AbortSignal
}

/** Trains a classifier on the mesh; resolves to its file. */
async function trained(client: Client, { images, folder, signal }: Lesson): Promise<string> {
  say()
  say(
    pc.bold('3. A classifier') +
      pc.dim(
        `: the mesh takes what ${embedding.model} makes of the other pictures, and learns the shapes from it, in rounds`,
      ),
  )
  const out = join(folder, `${learntName}.onnx`)
  const model = join(packageRoot, 'demo/models', embedding.model)
  const features = { kind: 'network', model, output: embedding.output }
  const made = await featureTable(client, { inputs: [images], cwd: folder, features }, signal)
  try {
    const { table, ...request } = made.request
    const options = { method: 'softmax', standardise: 'standard', c: 0.01 }
    const { job } = await client.submit({
      workload: 'train',
      cwd: folder,
      options,
      ...request,
      table: { ...table, rowsPerShard: 200 },
    })
    const ended = await followed(client, job, signal)
    const saved = await saveResult(client.results(job), out)
    say(`${pc.green('done')} in ${(ended.elapsedMs / 1000).toFixed(1)} s · ${saved.told.join(' · ')}`)
    say(`   ${[out, ...saved.beside].join(', ')}`)
    return out
  } finally {
    await made.remove()
  }
}

async function ownModels(): Promise<string[]> {
  const folder = join(packageRoot, 'demo/models')
  return (await readdir(folder)).sort().map(name => join(folder, name))
}

/** The job when it is done; throws when it failed, or when the demo is stopped. */
async function followed(client: Client, job: string, signal: AbortSignal): Promise<JobSummary> {
  const ended = await follow(client, job, signal)
  signal.throwIfAborted()
  if (!ended) {
    throw new PeerError({
      code: 'PEER_GONE',
      kind: 'transport',
      message: 'the peer that the job was submitted to is gone',
    })
  }
  requireFinal(ended)
  return ended
}

interface Work {
  images: string
  models: string[]
  out: string
  cwd: string
  signal: AbortSignal
}

async function classify(client: Client, { images, models, out, cwd, signal }: Work): Promise<void> {
  say()
  say(
    pc.bold('4. The job') +
      pc.dim(
        `: submitted from ${(await client.info()).name}, an ensemble of ${plural(models.length, 'model')}, merged by mean`,
      ),
  )
  const submitted = await client.submit({
    workload: 'classify',
    inputs: [images],
    cwd,
    models,
    merge: 'mean',
    top: topAll,
  })
  for (const note of submitted.notes) say(`${pc.yellow('!')} ${note}`)
  const job = await followed(client, submitted.job, signal)
  const saved = await saveResult(client.results(submitted.job), out)

  say(
    `${pc.green('done')} in ${(job.elapsedMs / 1000).toFixed(1)} s · ${count(saved.rows)} classified · ${rate(job.itemsPerSecond)} img/s · ${count(saved.errors)} unreadable · leader ${job.leaderName}`,
  )
  say()
  for (const line of shareLines(job)) say(`   ${line}`)
  const found = await accuracies(client.results(submitted.job), learntName)
  if (found) {
    say()
    const rows = found.map(one => [
      one.name,
      `${(100 * one.accuracy).toFixed(1)}%`,
      `${count(one.correct)} of ${count(one.rows)}`,
    ])
    for (const line of table(['MODEL', 'ACCURACY', 'CORRECT'], rows).trimEnd().split('\n')) say(`   ${line}`)
  }
  say()
  say(`predictions: ${pc.bold(out)}`)
  if (saved.errorsFile) say(`unreadable:  ${saved.errorsFile}`)
  say(
    pc.dim(
      'On your own images and machines: peer start, then peer submit classify FOLDER --model MODEL (see README.md)',
    ),
  )
}
