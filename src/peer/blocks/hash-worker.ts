/** The thread of `block-hasher.ts`: SHA-256 of what it is sent, and the bytes back. */
import { createHash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import type { FromHasher, ToHasher } from './block-hasher.ts'

parentPort?.on('message', ({ call, bytes }: ToHasher) => {
  const hash = new Uint8Array(createHash('sha256').update(bytes).digest())
  const { buffer } = bytes
  const reply: FromHasher = { call, hash, bytes }
  parentPort?.postMessage(reply, buffer instanceof ArrayBuffer ? [buffer] : [])
})
