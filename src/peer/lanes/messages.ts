/**
 * What the peer and its compute lanes say to each other; the same over a thread's port and a process's channel. What is
 * said in one turn travels as one list: a message costs more than a small shard.
 */
import type { PeerErrorInit } from '../../base/errors.ts'
import type { JobId } from '../../base/ids.ts'
import type { Round } from '../../jobs/workloads/workload.ts'
import type { GpuOptions } from './types.ts'

/** How a lane computes; given to it at birth. */
export interface LaneInit {
  backend: 'wasm' | 'webgpu'
  /** wasm: the runtime that all lanes of a peer share, so that weights are held once. */
  runtime?: unknown
  /** webgpu: how. */
  gpu?: GpuOptions
  /** Bytes that it may keep from round to round. */
  keepBytes: number
}

export type ToLane =
  | {
      type: 'open'
      job: JobId
      workload: string
      body: unknown
      files: { name: string; bytes: Uint8Array }[]
    }
  /** Without blocks where the lane keeps the shard of that key. */
  | { type: 'run'; job: JobId; call: number; blocks: Uint8Array[]; round?: Round; key?: string }
  | { type: 'close'; job: JobId }
  | { type: 'stop' }

export type FromLane =
  | { type: 'ready'; device: string; numericClass: string }
  | { type: 'ran'; call: number; bytes: Uint8Array; items: number; errors: number; elapsedMs: number; kept: boolean }
  /** The shard is not kept any more: it is wanted once more, with its blocks. */
  | { type: 'lacks'; call: number }
  | { type: 'failed'; call: number; error: Omit<PeerErrorInit, 'cause'> }
  /** It decodes pictures; with an error: it does not, and only does other work. Comes after `ready`. */
  | { type: 'proved'; error?: Omit<PeerErrorInit, 'cause'> }
  /** The lane could not start, or its device died: it takes no more work. */
  | { type: 'dead'; error: Omit<PeerErrorInit, 'cause'> }
