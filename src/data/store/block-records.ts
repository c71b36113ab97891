/**
 * Small blocks as records: a shard's result of some hundred bytes costs a file's four system calls and four kilobytes
 * otherwise. Blocks that come while a batch is being written are written together in the next one.
 */
import { type BlockId, isBlockId } from '../../base/ids.ts'
import type { BlockPlace } from './block-place.ts'
import { openRecordStore, type RecordChange } from './record-store.ts'

interface Batch {
  changes: RecordChange[]
  written: Promise<void>
}

const words = {
  what: 'small blocks',
  partLost: 'a small result may be missing here; those that other peers have are fetched from them',
  allLost: 'small results are missing here; those that other peers have are fetched from them',
}

/** Throws as `openRecordStore` does. */
export async function openBlockRecords(folder: string, warn: (line: string) => void): Promise<BlockPlace> {
  const records = await openRecordStore(folder, warn, words)
  let last: Promise<void> = Promise.resolve()
  let open: Batch | undefined

  function change(one: RecordChange): Promise<void> {
    if (!open) {
      const batch: Batch = { changes: [], written: last }
      batch.written = last.then(() => {
        if (open === batch) open = undefined
        return records.write(batch.changes)
      })
      last = batch.written.catch(() => {}) // it is its callers'; the next batch is tried all the same
      open = batch
    }
    open.changes.push(one)
    return open.written
  }

  return {
    write: (id, bytes) => change({ key: id, value: bytes }),
    holds: async (id, length) => (await records.get(id))?.length === length,
    read: id => records.get(id),
    remove: id => change({ key: id }),
    async list() {
      const found: { id: BlockId; bytes: number }[] = []
      for await (const [id, value] of records.entries('')) {
        if (isBlockId(id)) found.push({ id, bytes: value.length })
      }
      return found
    },
    async close() {
      await last
      await records.close()
    },
  }
}
