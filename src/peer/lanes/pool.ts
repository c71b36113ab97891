/**
 * The compute lanes of a peer: threads for WebAssembly, a process for WebGPU. Shards wait in one queue and
 * go to the lane with the least to do; each lane has at most two, so that the next one's images are decoded
 * while this one computes. A lane that dies hands its shards to the others and is replaced by a WASM lane.
 */
import { availableParallelism, totalmem } from 'node:os'
import { PeerError } from '../../base/errors.ts'
import type { JobId } from '../../base/ids.ts'
import type { Round } from '../../jobs/workloads/workload.ts'
import { type Lane, startLane } from './lane-host.ts'
import type { GpuOptions, LaneFacts, LaneShard, OpenJob, RanShard } from './types.ts'

export interface PoolInit {
  /** WASM threads. */
  workers: number
  /** A WebGPU process besides. */
  webgpu: boolean
  /** How it computes. */
  gpu?: GpuOptions
  /** A lane died; its work goes to the other lanes. */
  onLost?: (facts: LaneFacts, reason: string) => void
  /** A line for the user, such as why there is no WebGPU. */
  onWarning: (message: string) => void
  /** Lanes came or went, or got into trouble or out of it. */
  onChange: () => void
  /** How a lane is started; tests give lanes that fail in ways of their own. */
  start?: typeof startLane
}

export interface LanePool {
  lanes(): LaneFacts[]
  /** What its lanes cannot do now, though they do other work; it goes on by itself once they can again. */
  trouble(): string | undefined
  /** Shards queued or running. */
  load(): number
  /** `job` is opened on a lane when its first shard gets there. Rejects with PeerError. */
  run(job: JobId, open: () => OpenJob, shard: LaneShard, round?: Round): Promise<RanShard>
  /** Whether a lane has the shard of that key from an earlier round: it goes there, and its blocks are hardly wanted. */
  keeps(job: JobId, key: string): boolean
  /** Frees what the lanes hold for a job; its shards, queued or running, reject with JOB_CLOSED. */
  close(job: JobId): void
  stop(): Promise<void>
}

interface Waiting {
  job: JobId
  open: () => OpenJob
  shard: LaneShard
  round?: Round
  /** Lanes that died on it: a shard that kills two lanes is the shard's fault. */
  deaths: number
  resolve: (ran: RanShard) => void
  reject: (error: PeerError) => void
}

/** One computes, one decodes; of short shards as many as are work for `aheadMs`. */
const perLane = { least: 2, most: 32, aheadMs: 4 }
const restartsMax = 3
/** A machine in trouble is tried again this often. */
const retestMs = 15_000

/** Of what all lanes keep from round to round, at most a quarter of the machine's memory: the compute memory has 4 GiB. */
const keepBytesMax = 1.5 * 1024 ** 3

export async function startPool(init: PoolInit): Promise<LanePool> {
  const lanes = new Set<Lane>()
  const queue: Waiting[] = []
  const running = new Set<Waiting>()
  /** Jobs that WebGPU cannot take: it lacks a kernel of theirs, or memory. */
  const wasmOnly = new Set<JobId>()
  /** What the last shard of each job took on its lane. */
  const lastMs = new Map<JobId, number>()
  let restarts = 0
  let stopped = false
  let trouble: string | undefined
  let retest: NodeJS.Timeout | undefined

  const keepBytes = Math.floor(Math.min(keepBytesMax, totalmem() / 4) / (init.workers + (init.webgpu ? 1 : 0) || 1))

  async function add(backend: 'wasm' | 'webgpu'): Promise<void> {
    const lane = await (init.start ?? startLane)(backend, dead, init.gpu, keepBytes)
    if (stopped) return void lane.stop()
    take(lane)
  }

  function take(lane: Lane): void {
    lanes.add(lane)
    void lane.proved.then(error => {
      if (error && lanes.has(lane)) unfit(error)
    })
  }

  /** The machine cannot do some of the work: that goes elsewhere, and a fresh lane is tried from time to time. */
  function unfit(error: PeerError): void {
    if (stopped) return
    if (trouble !== error.message) {
      trouble = error.message
      init.onWarning(`${trouble}; such work goes to other peers, and this one tries again every ${retestMs / 1000} s`)
      init.onChange()
    }
    retest ??= setTimeout(() => void tryAgain(), retestMs)
  }

  /** Fresh lanes load everything anew; they take the place of the old ones if they are fit. */
  async function tryAgain(): Promise<void> {
    retest = undefined
    if (stopped) return
    const wasm = [...lanes].filter(lane => lane.facts.backend === 'wasm')
    const old = wasm.length > 0 ? wasm : [...lanes]
    const start = init.start ?? startLane
    const started = await Promise.allSettled(old.map(({ facts }) => start(facts.backend, dead, init.gpu, keepBytes)))
    const fresh = started.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
    const proofs = await Promise.all(fresh.map(lane => lane.proved))
    const fit = fresh.length === old.length && proofs.every(error => error === undefined)
    if (!fit || stopped) {
      for (const lane of fresh) void lane.stop()
      if (!stopped) retest = setTimeout(() => void tryAgain(), retestMs)
      return
    }
    for (const lane of fresh) take(lane)
    for (const lane of old) retire(lane)
    trouble = undefined
    init.onWarning('what this peer could not do works again')
    init.onChange()
    pump()
  }

  /** It takes nothing more, and ends once its shards are done. */
  function retire(lane: Lane): void {
    lanes.delete(lane)
    const wait = () => (lane.running === 0 || stopped ? void lane.stop() : void setTimeout(wait, 100))
    wait()
  }

  function dead(lane: Lane, error: PeerError): void {
    if (!lanes.delete(lane) || stopped) return
    init.onLost?.(lane.facts, error.message)
    init.onChange()
    if (lanes.size > 0 && lane.facts.backend === 'webgpu') return pump()
    if (++restarts > restartsMax) {
      const gone = new PeerError({
        code: 'NO_LANE',
        kind: 'resource',
        message:
          'this peer computes no more: its lanes keep dying; restart it, with --backend wasm if the GPU is at fault',
        retry: 'elsewhere',
      })
      if (lanes.size === 0) for (const waiting of queue.splice(0)) waiting.reject(gone)
      return
    }
    add('wasm').then(
      () => {
        init.onChange()
        pump()
      },
      failure => init.onWarning(`no lane could be started: ${String(failure)}`),
    )
  }

  /** The lane that keeps the shard, else the one with the least to do that may take the job. */
  function freeLane({ job, shard: { key } }: Waiting): Lane | undefined {
    let best: Lane | undefined
    let keeper: Lane | undefined
    const ms = lastMs.get(job)
    const room = ms === undefined ? 0 : Math.min(perLane.aheadMs / ms, perLane.most)
    for (const lane of lanes) {
      if (key !== undefined && lane.keeps(job, key)) keeper = lane
      if (lane.running >= Math.max(perLane.least, room) || (lane.facts.backend === 'webgpu' && wasmOnly.has(job)))
        continue
      if (lane === keeper) return lane
      if (!best || lane.running < best.running) best = lane
    }
    // Its keeper is busy: only a lane with nothing to do is worth reading it again.
    return keeper && best && best.running > 0 ? undefined : best
  }

  const keeps = (job: JobId, key: string) => [...lanes].some(lane => lane.keeps(job, key))

  function pump(): void {
    for (let i = 0; i < queue.length; ) {
      const lane = freeLane(queue[i])
      if (lane) start(lane, queue.splice(i, 1)[0])
      else i++
    }
  }

  /** The GPU lacks a kernel, or memory, for this job: WASM takes it, in a lane of its own where there is none. */
  function turnToWasm(waiting: Waiting, lane: Lane, error: PeerError): void {
    queue.unshift(waiting)
    if (wasmOnly.has(waiting.job)) return
    wasmOnly.add(waiting.job)
    const job = waiting.job.slice(0, 8)
    init.onWarning(`${lane.facts.device} cannot run a network of job ${job} (${error.message}): the CPU takes it`)
    if ([...lanes].some(other => other.facts.backend === 'wasm')) return
    add('wasm').then(
      () => {
        init.onChange()
        pump()
      },
      failure => waiting.reject(PeerError.from(failure, { code: 'LANE_FAILED', kind: 'resource' })),
    )
  }

  function start(lane: Lane, waiting: Waiting): void {
    const { job, open, shard, round } = waiting
    // Do not cache a shard here that another lane caches.
    const elsewhere = shard.key !== undefined && !lane.keeps(job, shard.key) && keeps(job, shard.key)
    running.add(waiting)
    lane.run(job, open, elsewhere ? { blocks: shard.blocks } : shard, round).then(
      ran => {
        // Not of a job that was closed meanwhile: nobody would take it out again.
        if (running.delete(waiting)) lastMs.set(job, ran.elapsedMs)
        waiting.resolve(ran)
        pump()
      },
      (thrown: unknown) => {
        // What became of a shard that nobody wants any more says nothing of the lane.
        if (!running.delete(waiting)) return pump()
        const error = PeerError.from(thrown, { code: 'LANE_FAILED', kind: 'resource' })
        if (error.code === 'MACHINE_UNFIT') unfit(error)
        const ofGpu = error.code === 'MODEL_UNSUPPORTED_KERNEL' || error.code.startsWith('WEBGPU_')
        if (ofGpu && lane.facts.backend === 'webgpu' && !stopped) turnToWasm(waiting, lane, error)
        else if (error.code === 'LANE_DIED' && ++waiting.deaths < 2 && !stopped) queue.unshift(waiting)
        else waiting.reject(error)
        pump()
      },
    )
  }

  const wanted = Array.from({ length: init.workers }, () => 'wasm' as const)
  if (init.webgpu) {
    try {
      await add('webgpu')
    } catch (thrown) {
      if (init.workers === 0) throw thrown
      init.onWarning(`no WebGPU: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
      if (wanted.length < availableParallelism()) wanted.push('wasm')
    }
  }
  await Promise.all(wanted.map(add))

  return {
    lanes: () => [...lanes].map(lane => lane.facts),
    trouble: () => trouble,
    load: () => queue.length + [...lanes].reduce((sum, lane) => sum + lane.running, 0),
    keeps,
    run: (job, open, shard, round) =>
      new Promise((resolve, reject) => {
        queue.push({ job, open, shard, round, deaths: 0, resolve, reject })
        pump()
      }),
    close(job) {
      wasmOnly.delete(job)
      lastMs.delete(job)
      for (const lane of lanes) lane.close(job)
      const closed = new PeerError({ code: 'JOB_CLOSED', kind: 'aborted', message: 'the job is over' })
      for (let i = queue.length - 1; i >= 0; i--) if (queue[i].job === job) queue.splice(i, 1)[0].reject(closed)
      for (const waiting of running) {
        if (waiting.job !== job) continue
        running.delete(waiting)
        waiting.reject(closed)
      }
    },
    async stop() {
      stopped = true
      clearTimeout(retest)
      await Promise.all([...lanes].map(lane => lane.stop()))
      lanes.clear()
    },
  }
}
