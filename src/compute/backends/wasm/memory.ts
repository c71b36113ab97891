/**
 * One WebAssembly memory for all compute threads of a peer, and who uses which part of it. Weights are stored once: a
 * thread that wants a block which another has made gets that block, counted.
 *
 * Invariant: live blocks do not overlap, and `slackBytes` behind every block belong to it, so that kernels may load
 * vectors beyond an operand's end. The table of blocks lies in the memory's first bytes, under a lock; nothing waits
 * for another thread while it holds the lock but the one block that it fills.
 */
import { createHash } from 'node:crypto'
import { assert, PeerError } from '../../../base/errors.ts'

/** Kernels load at most this far beyond an operand: a panel's width, strided lanes of a pooling window. */
export const slackBytes = 1024

const pageBytes = 65_536
/** WebAssembly's own bound for 32-bit memories. */
export const pagesMax = 65_536
/** Offsets and sizes are counted in units of this, so that 4 GiB fit into an Int32. */
const unitBytes = 256

// The head: a lock, the number of entries ever used, then entries of 12 words.
const lockWord = 0
const usedWord = 1
const firstEntry = 16
const entryWords = 12
const entriesMax = 16_384
/** References in the low word, then offset and size in units, then a spare word, then the key (zeros: private). */
const [referencesAt, offsetAt, sizeAt, keyAt] = [0, 1, 2, 4]
const headBytes = Math.ceil(((firstEntry + entriesMax * entryWords) * 4) / pageBytes) * pageBytes

/** How long a thread waits for the lock; longer means that its holder died inside. */
const lockTimeoutMs = 60_000

export interface Block {
  /** Bytes from the memory's start, a multiple of 256. */
  readonly offset: number
  /** Gives it back; the memory is free once nobody holds it. Idempotent. */
  release(): void
}

export interface SharedMemory {
  readonly memory: WebAssembly.Memory
  /** The memory as it is now; a view stays good when the memory grows. */
  bytes(offset: number, length: number): Uint8Array
  floats(offset: number, length: number): Float32Array
  /** A block for this caller alone; its content is whatever was there. @throws PeerError OUT_OF_MEMORY */
  allocate(bytes: number): Block
  /** The block of this name; the first who asks fills it. @throws PeerError OUT_OF_MEMORY */
  share(name: string, bytes: number, fill: (offset: number) => void): Block
}

/** @param bytesMax the most that the memory may grow to, at most 4 GiB */
export function createMemory(bytesMax: number): WebAssembly.Memory {
  const maximum = Math.min(pagesMax, Math.ceil(bytesMax / pageBytes))
  const initial = headBytes / pageBytes
  return new WebAssembly.Memory({ initial, maximum: Math.max(initial, maximum), shared: true })
}

export function openMemory(memory: WebAssembly.Memory): SharedMemory {
  const head = new Int32Array(memory.buffer, 0, firstEntry + entriesMax * entryWords)

  const locked = <T>(work: () => T): T => {
    lock(head)
    try {
      return work()
    } finally {
      Atomics.store(head, lockWord, 0)
      Atomics.notify(head, lockWord, 1)
    }
  }
  const blockAt = (entry: number): Block => {
    let held = true
    return {
      offset: (head[entry + offsetAt] >>> 0) * unitBytes,
      release() {
        if (held) locked(() => head[entry + referencesAt]--)
        held = false
      },
    }
  }
  const add = (bytes: number, key: Int32Array): number => {
    const units = Math.ceil((bytes + slackBytes) / unitBytes)
    const entry = freeEntry(head)
    const offset = findGap(head, units)
    grow(memory, (offset + units) * unitBytes)
    head[entry + offsetAt] = offset
    head[entry + sizeAt] = units
    head.set(key, entry + keyAt)
    head[entry + referencesAt] = 1
    return entry
  }
  const current = (): ArrayBufferLike => {
    // Another thread may have grown the memory; growing by nothing makes this one see it.
    memory.grow(0)
    return memory.buffer
  }
  return {
    memory,
    bytes: (offset, length) => new Uint8Array(current(), offset, length),
    floats: (offset, length) => new Float32Array(current(), offset, length),
    allocate: bytes => locked(() => blockAt(add(bytes, new Int32Array(8)))),
    share(name, bytes, fill) {
      const digest = createHash('sha256').update(name).digest()
      const key = new Int32Array(8).map((_, i) => digest.readInt32LE(i * 4))
      return locked(() => {
        const known = liveEntries(head).find(entry => key.every((word, i) => head[entry + keyAt + i] === word))
        if (known !== undefined) {
          head[known + referencesAt]++
          return blockAt(known)
        }
        const entry = add(bytes, key)
        const block = blockAt(entry)
        try {
          fill(block.offset)
        } catch (error) {
          head[entry + referencesAt] = 0 // a block half filled must not be found
          throw error
        }
        return block
      })
    },
  }
}

function lock(head: Int32Array): void {
  const endMs = performance.now() + lockTimeoutMs
  while (Atomics.compareExchange(head, lockWord, 0, 1) !== 0) {
    Atomics.wait(head, lockWord, 1, 100)
    if (performance.now() > endMs) {
      throw new PeerError({
        code: 'MEMORY_LOCKED',
        kind: 'resource',
        message: 'a compute thread ended while it held the shared memory; restart the peer',
        retry: 'elsewhere',
      })
    }
  }
}

function liveEntries(head: Int32Array): number[] {
  const entries: number[] = []
  for (let i = 0; i < head[usedWord]; i++) {
    const entry = firstEntry + i * entryWords
    if (head[entry + referencesAt] > 0) entries.push(entry)
  }
  return entries
}

function freeEntry(head: Int32Array): number {
  for (let i = 0; i < head[usedWord]; i++) {
    const entry = firstEntry + i * entryWords
    if (head[entry + referencesAt] === 0) return entry
  }
  if (head[usedWord] >= entriesMax) throw outOfMemory('too many tensors are loaded')
  return firstEntry + head[usedWord]++ * entryWords
}

/** The lowest place, in units, where so many are free. */
function findGap(head: Int32Array, units: number): number {
  const live = liveEntries(head).sort((a, b) => (head[a + offsetAt] >>> 0) - (head[b + offsetAt] >>> 0))
  let offset = headBytes / unitBytes
  for (const entry of live) {
    const start = head[entry + offsetAt] >>> 0
    if (start - offset >= units) break
    offset = start + (head[entry + sizeAt] >>> 0)
  }
  return offset
}

function grow(memory: WebAssembly.Memory, bytes: number): void {
  assert(Number.isSafeInteger(bytes), 'a size in bytes is exact')
  memory.grow(0)
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / pageBytes)
  if (missing <= 0) return
  if (missing > pagesMax) throw outOfMemory(`${bytes} bytes are needed`)
  try {
    memory.grow(missing)
  } catch (cause) {
    throw outOfMemory(`${bytes} bytes are needed`, cause)
  }
}

function outOfMemory(why: string, cause?: unknown): PeerError {
  return new PeerError({
    code: 'OUT_OF_MEMORY',
    kind: 'resource',
    message: `the compute memory is full (${why}); use fewer or smaller models, or fewer workers`,
    retry: 'elsewhere',
    cause,
  })
}
