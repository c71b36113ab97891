/** The thread of `submitter.ts`: one submission after another, each from its request to its last shard. */
import { parentPort } from 'node:worker_threads'
import { PeerError } from '../../base/errors.ts'
import type { BlockId } from '../../base/ids.ts'
import type { CutShard } from '../../data/sharding.ts'
import { newReport } from '../../data/tables/options.ts'
import { openInputs, restOfInputs } from '../../jobs/workloads/inputs.ts'
import { prepareJob } from '../../jobs/workloads/prepare.ts'
import type { Answer, Calls, FromThread, ToThread, Wants } from './messages.ts'

let report = newReport()
let shards: AsyncIterator<CutShard> | undefined

const waiting = new Map<number, (answer: Answer) => void>()
let wants = 0

async function want<K extends keyof Wants>(type: K, ask: Wants[K]['ask']): Promise<Wants[K]['answer']> {
  const id = wants++
  const answered = new Promise<Answer>(resolve => waiting.set(id, resolve))
  parentPort?.postMessage({ type, id, ask } as FromThread, ask instanceof Uint8Array ? [ask.buffer as ArrayBuffer] : [])
  const answer = await answered
  if ('error' in answer) throw new PeerError(answer.error)
  return answer.value as Wants[K]['answer']
}

/** A block is a view of a buffer that is used again: its bytes go over as a copy of their own. */
const store = { put: (bytes: Uint8Array): Promise<BlockId> => want('put', new Uint8Array(bytes)) }
const local = (block: BlockId) => want('local', block)

const handlers: { [K in keyof Calls]: (ask: Calls[K]['ask']) => Promise<Calls[K]['answer']> } = {
  prepare: request => prepareJob(request, store),
  async open({ inputs, known }) {
    report = newReport()
    const read = known ? restOfInputs(inputs, known, local, store, report) : (await openInputs(inputs))(store, report)
    shards = read[Symbol.asyncIterator]()
    return undefined
  },
  async next() {
    const { value, done } = (await shards?.next()) ?? { value: undefined, done: true }
    return done ? { report } : { shard: value, report }
  },
}

async function answer(message: Exclude<ToThread, Answer>): Promise<void> {
  const { type, id } = message
  try {
    const value = await (handlers[type] as (ask: unknown) => Promise<unknown>)(message.ask)
    parentPort?.postMessage({ type: 'answer', id, value } satisfies Answer)
  } catch (thrown) {
    const error = PeerError.from(thrown, { code: 'SUBMIT_FAILED', kind: 'resource' }).toJSON()
    parentPort?.postMessage({ type: 'answer', id, error } satisfies Answer)
  }
}

parentPort?.on('message', (message: ToThread) => {
  if (message.type !== 'answer') return void answer(message)
  waiting.get(message.id)?.(message)
  waiting.delete(message.id)
})
