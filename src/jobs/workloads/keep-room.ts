/** Memory that is counted, not held: who takes of it says how much, and gives as much back. */
import { assert } from '../../base/errors.ts'
import type { KeepRoom } from './workload.ts'

/** @param bytes how many there are to take */
export function createKeepRoom(bytes: number): KeepRoom & { left(): number } {
  let left = bytes
  return {
    take(wanted) {
      if (wanted > left) return false
      left -= wanted
      return true
    },
    give(given) {
      left += given
      assert(left <= bytes, 'what is given back was taken')
    },
    left: () => left,
  }
}
