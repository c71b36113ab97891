/**
 * Small records on disk by key, written in batches that are whole or not at all: what a peer must remember of its jobs.
 * Invariant: what `write` has resolved survives the death of this process at any moment; `flush` makes it survive the
 * machine's. A record that the disk damaged is set aside and named, never returned and never a crash.
 * LevelDB (https://github.com/google/leveldb, through classic-level, which libp2p's datastore-level uses as well): used
 * directly, because batches that reach the disk and errors with codes are needed.
 */
import { crc32 } from 'node:zlib'
import { closedError, type LevelWords, openLevel } from './level.ts'

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

/** Where records go that cannot be used; they are kept for whoever wants to look. */
const asidePrefix = 'aside/'
const sumBytes = 4

/** The sum is over the key as well: a damaged key would else give its value to another. */
function sealed(key: string, value: Uint8Array): Uint8Array {
  const record = new Uint8Array(sumBytes + value.length)
  new DataView(record.buffer).setUint32(0, crc32(value, crc32(key)))
  record.set(value, sumBytes)
  return record
}

/** The value, or undefined when it is not the one that was written. Older releases summed the value alone. */
function unsealed(key: string, record: Uint8Array): Uint8Array | undefined {
  if (record.length < sumBytes) return undefined
  const value = record.slice(sumBytes)
  const sum = new DataView(record.buffer, record.byteOffset).getUint32(0)
  return sum === crc32(value, crc32(key)) || sum === crc32(value) ? value : undefined
}

const usualWords: LevelWords = {
  what: 'records',
  partLost: 'a job may be missing from peer jobs',
  allLost: 'earlier jobs are forgotten',
}

/**
 * Opens, and makes where needed, the records in `folder`. A damaged store is repaired, whenever the damage is met; one that
 * cannot be is renamed and a new one begun, with a line to `warn`. Throws PeerError PEER_RUNNING when another process has it
 * open, and of kind `resource` when the folder cannot be used.
 */
export async function openRecordStore(
  folder: string,
  warn: (line: string) => void,
  words: LevelWords = usualWords,
): Promise<RecordStore> {
  const level = await openLevel(folder, words, warn)
  /** A write failed: see `Level.reopen`. */
  let broken = false
  let dirty = false
  /** What comes later is refused: it would open the folder again, which another may have by then. */
  let closed = false
  let last: Promise<unknown> = Promise.resolve()

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (closed) return Promise.reject(closedError())
    const next = last.then(async () => {
      try {
        if (broken) await level.reopen()
        broken = false
        return await work()
      } catch (thrown) {
        broken = true
        throw thrown
      }
    })
    last = next.catch(() => {}) // it is the caller's; the next one still has its turn
    return next
  }

  const batch = (changes: readonly RecordChange[], sync: boolean) =>
    level.run(db =>
      db.batch(
        changes.map(({ key, value }) =>
          value === undefined
            ? { type: 'del' as const, key }
            : { type: 'put' as const, key, value: sealed(key, value) },
        ),
        { sync },
      ),
    )

  async function moveAside(key: string, record: Uint8Array): Promise<void> {
    warn(`the record ${key} in ${folder} is damaged: it is set aside, and what it said is forgotten`)
    await level.run(db =>
      db.batch([
        { type: 'put', key: `${asidePrefix}${key}`, value: record },
        { type: 'del', key },
      ]),
    )
  }

  /** Some records from `after` on; a repair may come between two calls. */
  const some = (after: string, inclusive: boolean, prefix: string) =>
    level.run(async db => {
      const range = { [inclusive ? 'gte' : 'gt']: after, lt: `${prefix}\x7f` }
      const found: [string, Uint8Array][] = []
      let bytes = 0
      for await (const [key, record] of db.iterator(range)) {
        found.push([key, record])
        bytes += record.length
        if (found.length >= pageRecords || bytes >= pageBytes) return { found, more: true }
      }
      return { found, more: false }
    })

  return {
    async write(changes) {
      if (changes.length === 0) return
      await inTurn(() => batch(changes, false))
      dirty = true
    },
    async get(key) {
      const record = await level.run(db => db.get(key))
      if (!record) return undefined
      const value = unsealed(key, record)
      if (!value) await inTurn(() => moveAside(key, record))
      return value
    },
    async *entries(prefix) {
      for (let after = prefix, first = true; ; first = false) {
        const { found, more } = await some(after, first, prefix)
        for (const [key, record] of found) {
          const value = unsealed(key, record)
          if (value) yield [key, value]
          else await inTurn(() => moveAside(key, record))
        }
        if (!more) return
        after = found[found.length - 1][0]
      }
    },
    setAside: key =>
      inTurn(async () => {
        const record = await level.run(db => db.get(key))
        if (record) await moveAside(key, record)
      }),
    clear: prefix => inTurn(() => level.run(db => db.clear({ gte: prefix, lt: `${prefix}\x7f` }))),
    async flush() {
      if (!dirty) return
      dirty = false
      // A write that is synced takes all earlier ones of the log with it.
      await inTurn(() => batch([{ key: 'synced', value: new Uint8Array(0) }], true))
    },
    async close() {
      closed = true
      await last
      await level.close()
    },
  }
}

/** Read at once from the store. */
const pageRecords = 1024
const pageBytes = 4 * 1024 * 1024
