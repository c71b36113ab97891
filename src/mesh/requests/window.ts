/**
 * The credit of one stream, the same number on both ends: the caller keeps to it, the server closes a stream
 * that does not. Raise these together with the memory that a peer may spend on each neighbour.
 */
import { limits } from '../../base/limits.ts'

export const window = {
  /** Requests with the server, unanswered. Enough to keep 64 lanes busy over a slow line. */
  requestsMax: 256,
  /** Bytes of their bodies: two of the largest. Bulk data beyond this only queues. */
  requestBytesMax: 2 * limits.messageBytesMax,
  /** Requests that a server works on at once for one caller; their replies are what it may have to hold. */
  servedMax: 64,
  /** Requests waiting at the caller for credit. */
  waitingMax: 4096,
  /** A reply of this size takes its time on a slow line. */
  largeBytes: 16 * 1024,
  /** A protocol's name, in bytes. */
  protocolBytesMax: 128,
} as const
