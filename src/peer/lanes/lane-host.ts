/**
 * One compute lane, seen from the peer: a worker thread (WebAssembly) or a child process (WebGPU: a
 * driver's crash is not the peer's, and Dawn's event loop keeps a core busy) behind the same calls.
 */
import { fork } from 'node:child_process'
import { Worker } from 'node:worker_threads'
import { PeerError } from '../../base/errors.ts'
import type { JobId } from '../../base/ids.ts'
import { sibling } from '../../base/package-root.ts'
import type { Round } from '../../jobs/workloads/workload.ts'
import type { FromLane, LaneInit, ToLane } from './messages.ts'
import type { GpuOptions, LaneFacts, LaneShard, OpenJob, RanShard } from './types.ts'

export interface Lane {
  readonly facts: LaneFacts
  readonly running: number
  /** Resolves to what kind of work it cannot do, or undefined: what it proved of itself, soon after it was ready. */
  readonly proved: Promise<PeerError | undefined>
  /** Rejects with LANE_DIED when the lane goes before it answers. */
  run(job: JobId, open: () => OpenJob, shard: LaneShard, round?: Round): Promise<RanShard>
  /** Whether it has the shard of that key from an earlier round. */
  keeps(job: JobId, key: string): boolean
  close(job: JobId): void
  stop(): Promise<void>
}

interface Channel {
  send(messages: ToLane[]): void
  end(): Promise<void>
}

/** Dawn's adapter search and pipeline compilation are slow on some drivers. */
const startTimeoutMs = 60_000

function openThread(init: LaneInit, receive: (messages: FromLane[]) => void, gone: (reason: string) => void): Channel {
  const worker = new Worker(sibling(import.meta.url, './lane'), { workerData: init })
  worker.on('message', receive)
  worker.on('error', error => gone(error.message))
  worker.on('exit', code => gone(`the thread ended with code ${code}`))
  return {
    send: messages => worker.postMessage(messages),
    end: async () => {
      await worker.terminate()
    },
  }
}

function openProcess(init: LaneInit, receive: (messages: FromLane[]) => void, gone: (reason: string) => void): Channel {
  const child = fork(sibling(import.meta.url, './lane'), [JSON.stringify(init)], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  child.on('message', messages => receive(messages as FromLane[]))
  child.on('error', error => gone(error.message))
  child.on('exit', (code, signal) => gone(`the process ended with ${signal ?? `code ${code}`}`))
  return {
    send: messages => {
      if (child.connected) child.send(messages)
    },
    end: () =>
      new Promise(resolve => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve()
        child.once('exit', () => resolve())
        child.kill('SIGKILL') // it holds nothing that could be lost, and a driver's teardown may hang
      }),
  }
}

async function wasmRuntime(): Promise<unknown> {
  const { sharedWasmRuntime } = await import('../../compute/backends/wasm/shared-runtime.ts')
  return sharedWasmRuntime()
}

interface Call {
  resolve: (ran: RanShard) => void
  reject: (error: PeerError) => void
  /** What it keeps of the job, as far as it has said. */
  kept: Set<string>
  key?: string
  /** Sends the call again, this time with the shard's blocks. */
  again: () => void
}

/**
 * Starts a lane, a WebGPU one as `gpu` says; `onDead` is called once if it dies after it was ready. Rejects when it cannot
 * start.
 * @param keepBytes bytes that it may keep from round to round
 */
export async function startLane(
  backend: 'wasm' | 'webgpu',
  onDead: (lane: Lane, error: PeerError) => void,
  gpu?: GpuOptions,
  keepBytes = 0,
): Promise<Lane> {
  const init: LaneInit = { backend, gpu, keepBytes, runtime: backend === 'wasm' ? await wasmRuntime() : undefined }
  return new Promise((resolve, reject) => {
    const { promise: proof, resolve: proved } = Promise.withResolvers<PeerError | undefined>()
    const calls = new Map<number, Call>()
    /** Jobs that are open there, each with the keys of the shards that are kept. */
    const opened = new Map<JobId, Set<string>>()
    let lane: Lane | undefined
    let ended = false
    let calling = 0
    let saying: ToLane[] = []

    function say(message: ToLane): void {
      if (saying.push(message) > 1) return
      queueMicrotask(() => {
        const messages = saying
        saying = []
        if (!ended) channel.send(messages)
      })
    }

    /** A call's shard, once its blocks are here if they are wanted. */
    function sayRun(call: number, job: JobId, { blocks, key }: LaneShard, round: Round | undefined): void {
      if (key !== undefined && opened.get(job)?.has(key)) return say({ type: 'run', job, call, key, round, blocks: [] })
      if (Array.isArray(blocks)) return say({ type: 'run', job, call, key, round, blocks })
      blocks().then(
        fetched => {
          if (calls.has(call)) say({ type: 'run', job, call, key, round, blocks: fetched })
        },
        (thrown: unknown) => {
          calls.get(call)?.reject(PeerError.from(thrown, { code: 'SHARD_FAILED', kind: 'resource' }))
          calls.delete(call)
        },
      )
    }

    const timer = setTimeout(() => gone(`no answer within ${startTimeoutMs / 1000} s`), startTimeoutMs)

    function gone(reason: string): void {
      if (ended) return
      ended = true
      clearTimeout(timer)
      proved(undefined)
      void channel.end()
      const error = new PeerError({ code: 'LANE_DIED', kind: 'resource', message: reason, retry: 'later' })
      for (const call of calls.values()) call.reject(error)
      calls.clear()
      if (lane) onDead(lane, error)
      else reject(error)
    }

    function answer(message: Extract<FromLane, { call: number }>): void {
      const call = calls.get(message.call)
      if (!call) return
      const { key, kept } = call
      if (message.type === 'lacks') {
        if (key !== undefined) kept.delete(key)
        return call.again()
      }
      calls.delete(message.call)
      if (message.type === 'failed') return call.reject(new PeerError(message.error))
      if (key !== undefined && message.kept) kept.add(key)
      else if (key !== undefined) kept.delete(key)
      call.resolve(message)
    }

    function receive(message: FromLane): void {
      if (message.type === 'dead') return gone(message.error.message)
      if (message.type === 'proved') return proved(message.error && new PeerError(message.error))
      if (message.type === 'ready') {
        clearTimeout(timer)
        lane = {
          proved: proof,
          facts: { backend, device: message.device, numericClass: message.numericClass },
          get running() {
            return calls.size
          },
          keeps: (job, key) => opened.get(job)?.has(key) === true,
          run: (job, open, shard, round) =>
            new Promise((done, failed) => {
              if (ended)
                return failed(new PeerError({ code: 'LANE_DIED', kind: 'resource', message: 'the lane is gone' }))
              const kept = opened.get(job) ?? new Set()
              if (!opened.has(job)) {
                opened.set(job, kept)
                say({ type: 'open', job, ...open() })
              }
              const call = ++calling
              const again = () => sayRun(call, job, shard, round)
              calls.set(call, { resolve: done, reject: failed, key: shard.key, kept, again })
              again()
            }),
          close(job) {
            if (opened.delete(job) && !ended) say({ type: 'close', job })
          },
          async stop() {
            ended = true
            await channel.end()
            const error = new PeerError({ code: 'LANE_DIED', kind: 'aborted', message: 'the peer stops' })
            for (const call of calls.values()) call.reject(error)
          },
        }
        return resolve(lane)
      }
      answer(message)
    }

    const hear = (messages: FromLane[]) => messages.forEach(receive)
    const channel = backend === 'wasm' ? openThread(init, hear, gone) : openProcess(init, hear, gone)
  })
}
