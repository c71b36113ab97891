/**
 * Whose trouble an error is: the one table that decides whether an item becomes an error row, a shard goes to another peer, or
 * a job fails. Nothing is taken for a wrong party's: what a machine lacks says nothing of the picture that it was reading, and
 * what one peer cannot do says nothing of the job.
 *
 * | party | what shows it | what follows |
 * |---|---|---|
 * | `way` | kind `transport` | what was wanted is elsewhere: it is asked for again |
 * | `peer` | this machine lacks memory, descriptors, disk, a module, a lane | another peer takes the shard; this one says why |
 * | `job` | a model, an option or a byte that every peer would refuse alike | the job fails with that line |
 * | `shard` | anything else, a bug of ours among it | the shard is tried again elsewhere, a few times |
 */
import { PeerError } from './errors.ts'

export type Party = 'way' | 'peer' | 'job' | 'shard'

/** Failed system calls and loads that say something of the machine alone, and what to do. */
const machine: Record<string, string> = {
  EMFILE: 'too many open files: raise the limit (ulimit -n)',
  ENFILE: 'too many open files on this machine: close some programs',
  ENOMEM: 'out of memory: close some programs, or use --workers to compute with fewer',
  EAGAIN: 'the machine has no resources left for now: close some programs',
  EINTR: 'interrupted by a signal: try again',
  EBUSY: 'a device is busy: try again',
  EIO: 'the disk or its connection is damaged: check the system log',
  ENOSPC: 'the disk is full: free some space',
  EDQUOT: 'your disk quota is used up: free some space',
  EROFS: 'the file system is read-only: check the system log',
  ENODEV: 'a device is gone',
  ERR_WORKER_OUT_OF_MEMORY: 'out of memory: close some programs, or use --workers to compute with fewer',
  ERR_MEMORY_ALLOCATION_FAILED: 'out of memory: close some programs, or use --workers to compute with fewer',
  ERR_MODULE_NOT_FOUND: 'a part of the installation is missing: install shardmesh again, with its optional packages',
  MODULE_NOT_FOUND: 'a part of the installation is missing: install shardmesh again, with its optional packages',
  ERR_DLOPEN_FAILED: 'a part of the installation does not fit this machine: install shardmesh again on it',
}

/** Texts of libraries that give no code. */
const words: [RegExp, string][] = [
  [/could not load the "sharp" module/i, machine.ERR_MODULE_NOT_FOUND],
  [/out of memory|array buffer allocation failed|cannot allocate memory|memory allocation/i, machine.ENOMEM],
  [/too many open files/i, machine.EMFILE],
]

/** What the machine lacks, as one line with what to do; undefined where the error says nothing of the machine. */
export function machineTrouble(thrown: unknown): string | undefined {
  for (let at = thrown, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const { code } = at as { code?: unknown }
    if (typeof code === 'string' && Object.hasOwn(machine, code)) return machine[code]
    const found = words.find(([text]) => text.test((at as Error).message))
    if (found && !(at instanceof PeerError && at.kind === 'input')) return found[1]
  }
  return undefined
}

const unfitCode = 'MACHINE_UNFIT'

/**
 * The error of a machine that cannot do such work now, whatever it is given.
 * @param what what it cannot do: `decode images`
 */
export function machineUnfit(what: string, thrown: unknown): PeerError {
  const said = thrown instanceof Error ? thrown.message.split('\n')[0] : String(thrown)
  return new PeerError({
    code: unfitCode,
    kind: 'resource',
    message: `cannot ${what}: ${machineTrouble(thrown) ?? said}`,
    retry: 'elsewhere',
    details: { said: said.slice(0, 500) },
    cause: thrown,
  })
}

/** Of what one peer lacks and another may have. */
const peerCodes = new Set([unfitCode, 'OUT_OF_MEMORY', 'WEBGPU_OUT_OF_MEMORY', 'NO_LANE', 'LANE_FAILED', 'DEVICE_LOST'])

export function partyOf(error: PeerError): Party {
  if (error.kind === 'transport') return 'way'
  if (peerCodes.has(error.code) || error.code.startsWith('STORE_') || machineTrouble(error.cause)) return 'peer'
  if (error.retry !== 'never') return 'shard'
  return error.kind === 'resource' || error.kind === 'aborted' ? 'shard' : 'job'
}
