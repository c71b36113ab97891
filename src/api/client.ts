/** `Control` of a peer that runs in another process, over its socket. */
import { createParser } from 'eventsource-parser'
import { Agent, fetch, type Response } from 'undici'
import { PeerError, type PeerErrorInit } from '../base/errors.ts'
import type { Control, JobSummary, ResultItem } from '../peer/control.ts'
import { createResultReader } from './result-wire.ts'

/** A peer that runs in another process of this user, through its socket. */
export interface Client extends Control {
  /** Asks the peer to end; it still does for a moment. Throws NOT_STOPPABLE where a program runs it. */
  stopPeer(): Promise<void>
  /** Lets the peer go; it runs on. */
  close(): Promise<void>
}

async function check(response: Response): Promise<Response> {
  if (response.ok) return response
  const body = (await response.json().catch(() => undefined)) as { error?: PeerErrorInit } | undefined
  if (body?.error) throw new PeerError(body.error)
  throw new PeerError({
    code: 'API_FAILED',
    kind: 'protocol',
    message: `the peer answered ${response.status}; it may run another version`,
  })
}

/** The system's reason, which undici wraps. */
function reasonOf(thrown: unknown): string | undefined {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    if ('code' in error && ['EACCES', 'EPERM'].includes(String(error.code))) return String(error.code)
  }
  return undefined
}

function unreachable(cause: unknown): PeerError {
  if (reasonOf(cause) !== undefined) {
    return new PeerError({
      code: 'NOT_ALLOWED',
      kind: 'resource',
      message:
        'this data folder is closed to this user: only the user who started its peer may ask it (such as sudo -u USER peer …); --data names another folder',
      cause,
    })
  }
  return new PeerError({
    code: 'NO_PEER',
    kind: 'resource',
    message: 'no peer runs with this data folder; start one with peer start',
    cause,
  })
}

function stopped(cause: unknown): PeerError {
  return new PeerError({ code: 'SUBMIT_STOPPED', kind: 'aborted', message: 'stopped', cause })
}

/** The body's text in pieces. */
async function* pieces(response: Response): AsyncGenerator<string> {
  if (!response.body) return
  const decoder = new TextDecoder()
  for await (const chunk of response.body) yield decoder.decode(chunk as Uint8Array, { stream: true })
}

/** The pieces; throws PeerError where the peer ends in their midst. */
async function* whole(stream: AsyncGenerator<string>): AsyncGenerator<string> {
  try {
    yield* stream
  } catch (cause) {
    throw new PeerError({
      code: 'PEER_ENDED',
      kind: 'transport',
      message: 'the peer ended while it sent the result: start it again, then peer results fetches it',
      retry: 'later',
      cause,
    })
  }
}

/** Throws NO_PEER when nothing answers at `socketPath`. */
export async function connectClient(socketPath: string): Promise<Client> {
  const agent = new Agent({ connect: { socketPath }, bodyTimeout: 0, headersTimeout: 0 })

  async function call(
    path: string,
    init: { method?: string; body?: string; signal?: AbortSignal } = {},
  ): Promise<Response> {
    let response: Response
    try {
      const headers = init.body === undefined ? undefined : { 'content-type': 'application/json' }
      response = await fetch(`http://peer/v1/${path}`, { ...init, headers, dispatcher: agent })
    } catch (cause) {
      if (init.signal?.aborted) throw stopped(cause)
      throw unreachable(cause)
    }
    return check(response)
  }
  const json = async <T>(path: string, init?: { method?: string; body?: string; signal?: AbortSignal }) =>
    (await (await call(path, init)).json()) as T
  // An empty id would be another path.
  const jobPath = (id: string, rest = '') => `jobs/${encodeURIComponent(id || ' ')}${rest}`

  async function* watch(id: string, signal?: AbortSignal): AsyncGenerator<JobSummary> {
    const response = await call(jobPath(id, '/events'), { signal })
    const ready: JobSummary[] = []
    const parser = createParser({ onEvent: event => ready.push(JSON.parse(event.data)) })
    try {
      for await (const piece of pieces(response)) {
        parser.feed(piece)
        yield* ready.splice(0)
      }
    } catch (cause) {
      if (!signal?.aborted) throw unreachable(cause)
    }
  }

  async function* results(id: string): AsyncGenerator<ResultItem> {
    let rest = ''
    const read = createResultReader()
    for await (const piece of whole(pieces(await call(jobPath(id, '/result'))))) {
      const lines = (rest + piece).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) yield read(line)
    }
  }

  const client: Client = {
    info: () => json('info'),
    reachability: () => json('reachability'),
    peers: () => json('peers'),
    jobs: () => json('jobs'),
    job: id => json(jobPath(id)),
    submit: (request, signal) => json('jobs', { method: 'POST', body: JSON.stringify(request), signal }),
    cancel: id => json(jobPath(id), { method: 'DELETE' }),
    drop: id => json(jobPath(id, '/result'), { method: 'DELETE' }),
    gc: request => json('gc', { method: 'POST', body: JSON.stringify(request) }),
    stopPeer: async () => void (await call('stop', { method: 'POST' })),
    watch,
    results,
    close: () => agent.destroy(),
  }
  try {
    await client.info()
  } catch (thrown) {
    await agent.destroy()
    throw thrown
  }
  return client
}
