/**
 * Reading on a machine that is short of something for now: descriptors, memory. That says nothing of the file that was to be
 * read, so the work waits for its turn; and what stays short ends the whole reading with that reason, never one file's.
 */
import { PeerError } from '../../base/errors.ts'
import { machineTrouble } from '../../base/trouble.ts'
import { systemCode } from '../store/errors.ts'

const passing = ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR', 'EBUSY']
const waitMs = { first: 5, max: 500 }
/** Descriptors of other files are given back in milliseconds; of another program, in seconds. */
const patienceMs = 30_000

/**
 * Runs `work`, again while the machine is short of what it needs.
 * @throws PeerError MACHINE_SHORT where that lasts, or where the machine is at fault in another way; else what `work` throws
 */
export async function patiently<T>(path: string, work: () => Promise<T>): Promise<T> {
  const untilMs = performance.now() + patienceMs
  for (let wait = waitMs.first; ; wait = Math.min(2 * wait, waitMs.max)) {
    try {
      return await work()
    } catch (thrown) {
      if (!passing.includes(systemCode(thrown) ?? '') || performance.now() >= untilMs) throw judged(path, thrown)
    }
    await new Promise(resolve => setTimeout(resolve, wait))
  }
}

/** The error as it is to be thrown: MACHINE_SHORT where the machine is at fault, else itself. */
export function judged(path: string, cause: unknown): unknown {
  const why = machineTrouble(cause)
  if (cause instanceof PeerError || why === undefined) return cause
  return new PeerError({
    code: 'MACHINE_SHORT',
    kind: 'resource',
    retry: 'later',
    message: `this machine cannot read ${path} now: ${why}`,
    cause,
  })
}
