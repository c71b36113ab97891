/**
 * Reads a submission on a thread of its own: its models are decoded, planned and tried there, and its inputs cut into shards, so
 * that the peer goes on to answer the others however large a network is. Blocks come here to be stored. What does nothing for
 * too long, or is not wanted any more, is ended with its thread. A thread that has read its submission to the end waits a moment
 * for the next one, because starting it costs more than a small submission.
 */
import { Worker } from 'node:worker_threads'
import { PeerError } from '../../base/errors.ts'
import { sibling } from '../../base/package-root.ts'
import type { CutShard } from '../../data/sharding.ts'
import type { BlockStore } from '../../data/store/types.ts'
import type { TableReport } from '../../data/tables/options.ts'
import type { Inputs } from '../../jobs/workloads/inputs.ts'
import type { PreparedJob } from '../../jobs/workloads/prepare.ts'
import type { JobRequest } from '../../jobs/workloads/requests.ts'
import type { Answer, Calls, FromThread, KnownShards, ToThread } from './messages.ts'

type Store = Pick<BlockStore, 'put'>

export interface Submitter {
  /** Throws what `prepareJob` does; SUBMIT_STALLED, SUBMIT_STOPPED, SUBMIT_FAILED. */
  prepare(request: JobRequest, store: Store): Promise<PreparedJob>
  /** The shards, read as they are asked for; the first input is looked for at once. Throws what reading them does. */
  open(inputs: Inputs, known?: KnownShards): Promise<(store: Store, report: TableReport) => AsyncIterable<CutShard>>
  /** What is under way is given up. */
  close(): void
}

export interface SubmitterInit {
  local: (block: string) => Promise<Uint8Array | undefined>
  /** Checking a submission may do nothing to be seen for so long. */
  stallMs: number
}

export interface Submitters {
  /** For one submission. */
  open(): Submitter
  /** Starts a thread now, for the first submission. */
  warm(): void
  /** Ends the thread that waits. */
  close(): void
}

/** A heap that grows beyond it ends the thread, and not the peer. */
const heapMaxMb = 2048
/** Enough for commands in a row; what the thread still has in memory is freed after it. */
const waitsMs = 5000

export function createSubmitters(init: SubmitterInit): Submitters {
  /** The thread that waits. */
  let spare: Worker | undefined
  let closed = false
  let timer: NodeJS.Timeout | undefined
  const end = (worker: Worker) => {
    if (spare === worker) spare = undefined
    void worker.terminate()
  }
  function keep(worker: Worker): void {
    if (closed || spare) return void worker.terminate()
    spare = worker
    worker.on('error', () => end(worker))
    worker.on('exit', () => end(worker))
  }
  function keepAWhile(worker: Worker): void {
    keep(worker)
    if (spare === worker) timer = setTimeout(() => end(worker), waitsMs).unref()
  }
  function take(): Worker {
    clearTimeout(timer)
    const worker = spare ?? startThread()
    spare = undefined
    worker.removeAllListeners()
    return worker
  }
  return {
    open: () => createSubmitter(init, take(), keepAWhile),
    warm: () => keep(startThread()),
    close() {
      closed = true
      clearTimeout(timer)
      if (spare) end(spare)
    },
  }
}

function startThread(): Worker {
  const worker = new Worker(sibling(import.meta.url, './submitter-worker'), {
    resourceLimits: { maxOldGenerationSizeMb: heapMaxMb },
  })
  worker.unref()
  return worker
}

/** @param keep is given the thread where it has read a submission to its end */
function createSubmitter({ local, stallMs }: SubmitterInit, worker: Worker, keep: (worker: Worker) => void): Submitter {
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: PeerError) => void }>()
  let calls = 0
  let store: Store | undefined
  /** Of a call that is to show that it goes on; and what the thread waits for here meanwhile. */
  let stalled: NodeJS.Timeout | undefined
  let owed = 0
  let over: PeerError | undefined
  let read = false

  worker.on('message', (message: FromThread) => {
    stalled?.refresh()
    if (message.type === 'answer') settle(message)
    else void oblige(message)
  })
  worker.on('error', thrown => end(failed(thrown)))
  worker.on('exit', () => end(submissionStopped()))

  function end(error: PeerError): void {
    over ??= error
    clearTimeout(stalled)
    void worker.terminate()
    for (const { reject } of waiting.values()) reject(over)
    waiting.clear()
  }

  function settle(message: Answer): void {
    const call = waiting.get(message.id)
    waiting.delete(message.id)
    if ('error' in message) call?.reject(new PeerError(message.error))
    else call?.resolve(message.value)
  }

  async function oblige({ type, id, ask }: Exclude<FromThread, Answer>): Promise<void> {
    owed++
    let answer: Answer
    try {
      if (type === 'put' && !store) throw submissionStopped()
      answer = { type: 'answer', id, value: await (type === 'put' ? store?.put(ask) : local(ask)) }
    } catch (thrown) {
      const error = PeerError.from(thrown, { code: 'SUBMIT_FAILED', kind: 'resource' }).toJSON()
      answer = { type: 'answer', id, error }
    }
    owed--
    stalled?.refresh()
    if (!over) worker.postMessage(answer)
  }

  function call<K extends keyof Calls>(type: K, ask: Calls[K]['ask']): Promise<Calls[K]['answer']> {
    if (over) return Promise.reject(over)
    const id = calls++
    worker.postMessage({ type, id, ask } as ToThread)
    return new Promise((resolve, reject) => waiting.set(id, { resolve: resolve as (value: unknown) => void, reject }))
  }

  /** The same for what is only looked at yet: it has to move. */
  async function lively<K extends keyof Calls>(type: K, ask: Calls[K]['ask']): Promise<Calls[K]['answer']> {
    const look = () => {
      if (owed > 0) stalled = setTimeout(look, stallMs).unref()
      else end(tooLong(stallMs))
    }
    stalled = setTimeout(look, stallMs).unref()
    try {
      return await call(type, ask)
    } finally {
      clearTimeout(stalled)
      stalled = undefined
    }
  }

  return {
    prepare(request, into) {
      store = into
      return lively('prepare', request)
    },
    async open(inputs, known) {
      await lively('open', { inputs, known })
      return async function* (into, report) {
        store = into
        for (;;) {
          const { shard, report: now } = await call('next', undefined)
          Object.assign(report, now)
          if (!shard) {
            read = true
            return
          }
          yield shard
        }
      }
    },
    close() {
      if (over) return // the thread may be another submission's by now
      if (!read || waiting.size > 0 || owed > 0) return end(submissionStopped())
      over = submissionStopped()
      worker.removeAllListeners()
      keep(worker)
    },
  }
}

/** Somebody gave it up. */
export function submissionStopped(): PeerError {
  return new PeerError({ code: 'SUBMIT_STOPPED', kind: 'aborted', message: 'the submission was stopped' })
}

function failed(cause: Error): PeerError {
  const memory = (cause as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY'
  return new PeerError({
    code: 'SUBMIT_FAILED',
    kind: 'resource',
    message: memory
      ? `the models and inputs need more than ${heapMaxMb} MB to be looked at: submit smaller ones`
      : `the submission could not be read: ${cause.message}`,
    cause,
  })
}

function tooLong(ms: number): PeerError {
  return new PeerError({
    code: 'SUBMIT_STALLED',
    kind: 'resource',
    message: `the models and inputs could not be tried within ${ms / 1000} s: a model may be too large for this machine, or a file gives no bytes`,
  })
}
