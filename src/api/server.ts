/**
 * The control API of a running peer: HTTP over a Unix socket in the data folder, which its owner alone can
 * open. Lists are JSON, a watched job is server-sent events, a result is newline-delimited JSON.
 */
import { chmod, lstat, rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { stream, streamSSE } from 'hono/streaming'
import { z } from 'zod'
import { PeerError } from '../base/errors.ts'
import { makeFolder } from '../base/make-folder.ts'
import { jobRequestSchema } from '../jobs/workloads/requests.ts'
import type { Control } from '../peer/control.ts'
import { faultToWire, resultToWire } from './result-wire.ts'

export const gcRequest = z.object({ dryRun: z.boolean(), olderThanMs: z.number().min(0).optional() })

const statusOf = {
  input: 400,
  model: 400,
  resource: 503,
  transport: 503,
  protocol: 500,
  integrity: 500,
  aborted: 500,
} as const

function failed(context: Context, thrown: unknown): Response {
  const error = PeerError.from(thrown, { code: 'INTERNAL', kind: 'protocol' })
  return context.json({ error: error.toJSON() }, statusOf[error.kind])
}

/** The body, checked. Throws REQUEST_INVALID. */
async function requestOf<T>(context: Context, form: z.ZodType<T>): Promise<T> {
  const parsed = form.safeParse(await context.req.json().catch(() => undefined))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new PeerError({ code: 'REQUEST_INVALID', kind: 'input', message: `${issue.path.join('.')}: ${issue.message}` })
}

/** What only the socket's owner may ask of the process that runs the peer. */
export interface ApiInit {
  /** Begins to end the peer. */
  stop?: () => void
}

export function createApi(control: Control, init: ApiInit = {}): Hono {
  const app = new Hono()
  app.onError((thrown, context) => failed(context, thrown))
  app.get('/v1/info', async context => context.json(await control.info()))
  app.get('/v1/reachability', async context => context.json(await control.reachability()))
  app.get('/v1/peers', async context => context.json(await control.peers()))
  app.get('/v1/jobs', async context => context.json(await control.jobs()))
  app.get('/v1/jobs/:id', async context => context.json(await control.job(context.req.param('id'))))
  app.delete('/v1/jobs/:id', async context => context.json(await control.cancel(context.req.param('id'))))

  app.delete('/v1/jobs/:id/result', async context => context.json(await control.drop(context.req.param('id'))))

  app.post('/v1/jobs', async context => {
    const { signal } = context.req.raw
    const submitted = await control.submit(await requestOf(context, jobRequestSchema), signal)
    // Who asked for it went away before it could hear the job's id: nobody would know of the job.
    if (signal.aborted) await control.cancel(submitted.job)
    return context.json(submitted)
  })
  app.post('/v1/gc', async context => context.json(await control.gc(await requestOf(context, gcRequest))))

  app.post('/v1/stop', context => {
    if (!init.stop) {
      const message = 'this peer is part of a program, which ends it'
      throw new PeerError({ code: 'NOT_STOPPABLE', kind: 'input', message })
    }
    // The answer goes out first.
    setTimeout(init.stop, 20)
    return context.json({})
  })

  app.get('/v1/jobs/:id/events', async context => {
    const { job } = await control.job(context.req.param('id'))
    return streamSSE(context, async sse => {
      const abort = new AbortController()
      sse.onAbort(() => abort.abort())
      try {
        for await (const summary of control.watch(job, abort.signal)) {
          await sse.writeSSE({ event: 'job', data: JSON.stringify(summary) })
        }
      } catch {
        // It ends; who watches asks for the job, and is told then.
      }
    })
  })

  app.get('/v1/jobs/:id/result', async context => {
    // The first line is read before the status is sent, so that a job without a result answers as an error.
    const items = control.results(context.req.param('id'))[Symbol.asyncIterator]()
    let next = await items.next()
    context.header('content-type', 'application/x-ndjson')
    return stream(context, async out => {
      let buffer = ''
      try {
        for (; !next.done && !out.aborted; next = await items.next()) {
          buffer += `${JSON.stringify(resultToWire(next.value))}\n`
          if (buffer.length > 64 * 1024) {
            await out.write(buffer)
            buffer = ''
          }
        }
      } catch (thrown) {
        // The status is sent: a line says why the rest does not come.
        buffer += `${JSON.stringify(faultToWire(thrown))}\n`
      }
      await out.write(buffer)
    })
  })
  return app
}

/** Whether a peer answers at `path`. */
function answers(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

export interface ApiServer {
  stop(): Promise<void>
}

/** How often it is looked whether the socket is still there. */
const lookMs = 2000

const isThere = (path: string) =>
  lstat(path).then(
    () => true,
    () => false,
  )

/** A server whose socket nobody else may open, not even in the moment before chmod. */
async function listenAt(path: string, fetch: Hono['fetch']): Promise<Server> {
  const server = createAdaptorServer({ fetch }) as Server
  const before = process.umask(0o177)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, resolve)
    })
  } finally {
    process.umask(before)
  }
  await chmod(path, 0o600)
  return server
}

/** Throws PEER_RUNNING when another peer already answers on this socket. */
export async function serveApi(control: Control, path: string, init: ApiInit = {}): Promise<ApiServer> {
  if (await answers(path)) {
    throw new PeerError({
      code: 'PEER_RUNNING',
      kind: 'resource',
      message: 'a peer already runs with this data folder; stop it, or give this one a folder of its own with --data',
    })
  }
  await makeFolder(dirname(path), 0o700)
  await rm(path, { force: true }) // left by a peer that was killed
  const { fetch } = createApi(control, init)
  let server = await listenAt(path, fetch)
  // Somebody may remove the socket, with other files in /tmp or in the data folder: nobody could reach the peer then.
  let again: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    again = again.then(async () => {
      if (await isThere(path)) return
      // First, for a server that closes removes what has its socket's name. Requests under way are answered.
      server.close()
      server = await listenAt(path, fetch)
    })
    again = again.catch(() => {}) // a folder that is gone, a disk that refuses: tried again
  }, lookMs)
  timer.unref()
  return {
    async stop() {
      clearInterval(timer)
      await again
      await new Promise<void>(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}
