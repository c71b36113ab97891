/**
 * A thread that answers each message with one of its own: made when it is first called, and again after it ended. It does
 * not keep the process alive.
 */
import { Worker } from 'node:worker_threads'

export interface CallThread<Request extends object, Reply> {
  /**
   * `buffers` go over with the request. Resolves to undefined where the thread ended before it answered: what went with the
   * request is gone.
   */
  call(request: Request, buffers: ArrayBuffer[]): Promise<Reply | undefined>
  close(): Promise<void>
}

/**
 * @param program the thread's file; it gets the request with a number `call`, which its reply bears as well
 * @param ended is told each time that the thread ends
 */
export function createCallThread<Request extends object, Reply extends { call: number }>(
  program: string | URL,
  ended: () => void = () => {},
): CallThread<Request, Reply> {
  const waiting = new Map<number, (reply: Reply | undefined) => void>()
  let calls = 0
  let worker: Worker | undefined

  function start(): Worker {
    const started = new Worker(program)
    started.unref()
    started.on('message', (reply: Reply) => {
      waiting.get(reply.call)?.(reply)
      waiting.delete(reply.call)
    })
    const over = () => {
      if (worker !== started) return
      worker = undefined
      ended()
      for (const done of waiting.values()) done(undefined)
      waiting.clear()
    }
    started.on('error', over)
    started.on('exit', over)
    return started
  }

  return {
    call(request, buffers) {
      worker ??= start()
      const call = calls++
      const done = new Promise<Reply | undefined>(resolve => waiting.set(call, resolve))
      worker.postMessage({ ...request, call }, buffers)
      return done
    },
    async close() {
      await worker?.terminate()
    },
  }
}
