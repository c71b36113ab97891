/**
 * What nobody waited for and the system refused (a disk that turned read-only, no descriptors left) costs that piece of work and
 * a line, never the peer. Anything else that nobody caught is a bug, and ends the process as Node does.
 */
import { PeerError } from '../../base/errors.ts'
import { systemCode } from '../../data/store/errors.ts'

const passing = [
  'EROFS',
  'EIO',
  'ENOSPC',
  'EDQUOT',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'EAGAIN',
  'EBUSY',
  'ESTALE',
  'EACCES',
]

/** @param tell gets a line for the user */
export function catchRefusals(tell: (line: string) => void): void {
  process.on('unhandledRejection', thrown => {
    const refused =
      (thrown instanceof PeerError && thrown.kind === 'resource') || passing.includes(systemCode(thrown) ?? '')
    if (!refused) throw thrown
    tell(`something was left undone: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
  })
}
