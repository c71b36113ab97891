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
import type { GpuOptions, LaneFacts, OpenJob, RanShard } from './types.ts'

export interface Lane {
  readonly facts: LaneFacts
  readonly running: number
  /** Rejects with LANE_DIED when the lane goes before it answers. */
  run(job: JobId, open: () => OpenJob, blocks: Uint8Array[], round?: Round): Promise<RanShard>
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

/** Starts a lane, a WebGPU one as `gpu` says; `onDead` is called once if it dies after it was ready. Rejects when it cannot start. */
export async function startLane(
  backend: 'wasm' | 'webgpu',
  onDead: (lane: Lane, error: PeerError) => void,
  gpu?: GpuOptions,
): Promise<Lane> {
  const init: LaneInit = { backend, gpu, runtime: backend === 'wasm' ? await wasmRuntime() : undefined }
  return new Promise((resolve, reject) => {
    const calls = new Map<number, { resolve: (ran: RanShard) => void; reject: (error: PeerError) => void }>()
    const opened = new Set<JobId>()
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

    const timer = setTimeout(() => gone(`no answer within ${startTimeoutMs / 1000} s`), startTimeoutMs)

    function gone(reason: string): void {
      if (ended) return
      ended = true
      clearTimeout(timer)
      void channel.end()
      const error = new PeerError({ code: 'LANE_DIED', kind: 'resource', message: reason, retry: 'later' })
      for (const call of calls.values()) call.reject(error)
      calls.clear()
      if (lane) onDead(lane, error)
      else reject(error)
    }

    function receive(message: FromLane): void {
      if (message.type === 'dead') return gone(message.error.message)
      if (message.type === 'ready') {
        clearTimeout(timer)
        lane = {
          facts: { backend, device: message.device, numericClass: message.numericClass },
          get running() {
            return calls.size
          },
          run: (job, open, blocks, round) =>
            new Promise((done, failed) => {
              if (ended)
                return failed(new PeerError({ code: 'LANE_DIED', kind: 'resource', message: 'the lane is gone' }))
              if (!opened.has(job)) {
                opened.add(job)
                say({ type: 'open', job, ...open() })
              }
              calls.set(++calling, { resolve: done, reject: failed })
              say({ type: 'run', job, call: calling, blocks, round })
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
      const call = calls.get(message.call)
      calls.delete(message.call)
      if (message.type === 'ran') call?.resolve(message)
      else call?.reject(new PeerError(message.error))
    }

    const hear = (messages: FromLane[]) => messages.forEach(receive)
    const channel = backend === 'wasm' ? openThread(init, hear, gone) : openProcess(init, hear, gone)
  })
}
