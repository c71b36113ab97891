/**
 * Small records on disk by key, written in batches that are whole or not at all: what a peer must remember of its jobs.
 * Invariant: what `write` has resolved survives the death of this process at any moment; `flush` makes it survive the
 * machine's. A record that the disk damaged is set aside and named, never returned and never a crash.
 * LevelDB (https://github.com/google/leveldb, through classic-level, which libp2p's datastore-level uses as well): used
 * directly, because batches that reach the disk and errors with codes are needed.
 */
import { rename } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { ClassicLevel } from 'classic-level'
import { PeerError } from '../../base/errors.ts'
import { storeError, systemCode } from './errors.ts'

/** A record to be written, or without `value` one to be removed. Keys are ASCII and sort as such. */
export interface RecordChange {
  key: string
  value?: Uint8Array
}

export interface RecordStore {
  /** All or nothing, in order with other writes. Throws PeerError STORE_FULL or STORE_UNUSABLE; the same changes may be written again later. */
  write(changes: readonly RecordChange[]): Promise<void>
  /** The record of this key; undefined when there is none, or it was damaged. */
  get(key: string): Promise<Uint8Array | undefined>
  /** Every sound record whose key begins with `prefix`, by key. A damaged one is set aside and warned of. */
  entries(prefix: string): AsyncIterable<[key: string, value: Uint8Array]>
  /** Moves a record out of the way that is whole but makes no sense to its reader. */
  setAside(key: string): Promise<void>
  /** Removes every record whose key begins with `prefix`. */
  clear(prefix: string): Promise<void>
  /** Makes all that was written survive a power failure. */
  flush(): Promise<void>
  close(): Promise<void>
}

type Database = ClassicLevel<string, Uint8Array>

/** Where records go that cannot be used; they are kept for whoever wants to look. */
const asidePrefix = 'aside/'
const sumBytes = 4

function sealed(value: Uint8Array): Uint8Array {
  const record = new Uint8Array(sumBytes + value.length)
  new DataView(record.buffer).setUint32(0, crc32(value))
  record.set(value, sumBytes)
  return record
}

/** The value, or undefined when it is not the one that was written. */
function unsealed(record: Uint8Array): Uint8Array | undefined {
  if (record.length < sumBytes) return undefined
  const value = record.slice(sumBytes)
  return new DataView(record.buffer, record.byteOffset).getUint32(0) === crc32(value) ? value : undefined
}

/** LevelDB's own error is the cause of the one that is thrown. */
function levelCode(thrown: unknown): string | undefined {
  return systemCode(thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown)
}

/** LevelDB says only in words why the system refused. */
function recordError(folder: string, thrown: unknown): PeerError {
  if (thrown instanceof PeerError) return thrown
  const texts = [thrown, thrown instanceof Error ? thrown.cause : undefined].map(one =>
    one instanceof Error ? one.message : '',
  )
  const words: Record<string, RegExp> = {
    ENOSPC: /no space left/i,
    EDQUOT: /quota exceeded/i,
    EROFS: /read-only file/i,
  }
  const code = Object.keys(words).find(name => texts.some(text => words[name].test(text)))
  return storeError(folder, code === undefined ? thrown : Object.assign(new Error(texts.join(': ')), { code }))
}

/**
 * Opens, and makes where needed, the records in `folder`. A damaged store is repaired; one that cannot be is renamed
 * and a new one begun, with a line to `warn`. Throws PeerError PEER_RUNNING when another process has it open, and of
 * kind `resource` when the folder cannot be used.
 */
export async function openRecordStore(folder: string, warn: (line: string) => void): Promise<RecordStore> {
  const db: Database = new ClassicLevel<string, Uint8Array>(folder, { keyEncoding: 'utf8', valueEncoding: 'view' })
  await openOrRepair(db, folder, warn)
  /** After a failed write LevelDB's log may end in half a record: it is opened anew before it is written to again. */
  let broken = false
  let dirty = false
  /** What comes later is refused: it would open the folder again, which another may have by then. */
  let closed = false
  let last: Promise<unknown> = Promise.resolve()

  async function reopen(): Promise<void> {
    if (db.status === 'open') await db.close()
    await db.open()
    broken = false
  }

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (closed) return Promise.reject(closedError())
    const next = last.then(async () => {
      try {
        if (broken) await reopen()
        return await work()
      } catch (thrown) {
        broken = true
        throw recordError(folder, thrown)
      }
    })
    last = next.catch(() => {}) // it is the caller's; the next one still has its turn
    return next
  }

  const batch = (changes: readonly RecordChange[], sync: boolean) =>
    db.batch(
      changes.map(({ key, value }) =>
        value === undefined ? { type: 'del' as const, key } : { type: 'put' as const, key, value: sealed(value) },
      ),
      { sync },
    )

  async function moveAside(key: string, record: Uint8Array): Promise<void> {
    warn(`the record ${key} in ${folder} is damaged: it is set aside, and what it said is forgotten`)
    await db.batch([
      { type: 'put', key: `${asidePrefix}${key}`, value: record },
      { type: 'del', key },
    ])
  }

  return {
    async write(changes) {
      if (changes.length === 0) return
      await inTurn(() => batch(changes, false))
      dirty = true
    },
    async get(key) {
      const record = await db.get(key)
      if (!record) return undefined
      const value = unsealed(record)
      if (!value) await inTurn(() => moveAside(key, record))
      return value
    },
    async *entries(prefix) {
      for await (const [key, record] of db.iterator({ gte: prefix, lt: `${prefix}\x7f` })) {
        const value = unsealed(record)
        if (value) yield [key, value]
        else await inTurn(() => moveAside(key, record))
      }
    },
    setAside: key =>
      inTurn(async () => {
        const record = await db.get(key)
        if (record) await moveAside(key, record)
      }),
    clear: prefix => inTurn(() => db.clear({ gte: prefix, lt: `${prefix}\x7f` })),
    async flush() {
      if (!dirty) return
      dirty = false
      // A write that is synced takes all earlier ones of the log with it.
      await inTurn(() => batch([{ key: 'synced', value: new Uint8Array(0) }], true))
    },
    async close() {
      closed = true
      await last
      await db.close()
    },
  }
}

async function openOrRepair(db: Database, folder: string, warn: (line: string) => void): Promise<void> {
  try {
    await db.open()
    return
  } catch (thrown) {
    const code = levelCode(thrown)
    if (code === 'LEVEL_LOCKED') throw inUse(thrown)
    if (code !== 'LEVEL_CORRUPTION' && !mentionsDamage(thrown)) throw recordError(folder, thrown)
  }
  try {
    await ClassicLevel.repair(folder)
    await db.open()
    warn(`the records in ${folder} were damaged and have been repaired: a job may be missing from peer jobs`)
    return
  } catch (thrown) {
    if (levelCode(thrown) === 'LEVEL_LOCKED') throw inUse(thrown)
  }
  const aside = `${folder}-damaged-${Date.now()}`
  try {
    await rename(folder, aside)
    await db.open()
  } catch (thrown) {
    throw recordError(folder, thrown)
  }
  warn(`the records in ${folder} cannot be read: they are set aside as ${aside}, and earlier jobs are forgotten`)
}

/** LevelDB reports a missing or wrong file of its own as an invalid argument or an I/O error. */
function mentionsDamage(thrown: unknown): boolean {
  const texts = [thrown, thrown instanceof Error ? thrown.cause : undefined].map(one =>
    one instanceof Error ? one.message : '',
  )
  return texts.some(text => /corrupt|does not exist|missing files|CURRENT|MANIFEST/i.test(text))
}

function closedError(): PeerError {
  return new PeerError({ code: 'STORE_CLOSED', kind: 'aborted', message: 'the peer stops: nothing more is kept' })
}

function inUse(cause: unknown): PeerError {
  return new PeerError({
    code: 'PEER_RUNNING',
    kind: 'resource',
    message: 'a peer already runs with this data folder; stop it, or give this one a folder of its own with --data',
    cause,
  })
}
