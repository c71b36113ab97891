/**
 * Who the peer of this data folder was at earlier starts, from its records: an identity or a mesh that went with its file is
 * noticed, and what an earlier identity left here stays this peer's to keep.
 */
import type { PeerKey } from '../base/ids.ts'
import type { RecordStore } from '../data/store/record-store.ts'
import type { Home } from './home.ts'

export interface SelfHistory {
  /** Whether `peer` is this peer, or was. */
  isSelf(peer: PeerKey): boolean
}

const selfPrefix = 'self/'
const meshKey = 'mesh'
const formerMax = 64

/** A line to `warn` for what is another one than before. Throws as the records do, but for a disk that refuses. */
export async function openSelfHistory(
  records: RecordStore,
  home: Home,
  warn: (line: string) => void,
): Promise<SelfHistory> {
  const selves = new Set<PeerKey>()
  for await (const [key] of records.entries(selfPrefix)) selves.add(key.slice(selfPrefix.length))
  const known = await records.get(meshKey)
  const mesh = known && Buffer.from(known).toString()
  if ((selves.size > 0 && !selves.has(home.self)) || (selves.size === 0 && home.lostIdentity)) {
    warn(
      `the identity in ${home.folder} is another than before: this peer is a new one to the others. Results that are kept ` +
        'here can be fetched as before; jobs that the earlier one submitted and that still run cannot be cancelled from here',
    )
  }
  if (mesh !== undefined && mesh !== home.meshName && !home.invited && home.kept) {
    warn(
      `mesh.json in ${home.folder} is another than before: this peer was in mesh ${mesh} and is in ${home.meshName} now. ` +
        'To return, remove mesh.json and start with --join TOKEN, which peer token prints on a machine of the earlier mesh',
    )
  }
  const changes = [
    ...(selves.has(home.self) || selves.size >= formerMax
      ? []
      : [{ key: `${selfPrefix}${home.self}`, value: new Uint8Array(0) }]),
    ...(home.kept && mesh !== home.meshName ? [{ key: meshKey, value: Buffer.from(home.meshName) }] : []),
  ]
  // A full disk is no reason not to start.
  if (changes.length > 0) await records.write(changes).catch(() => {})
  return { isSelf: peer => peer === home.self || selves.has(peer) }
}
